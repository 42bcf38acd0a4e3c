"""Two stores on one directory against a dictionary, while time passes."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tlsmgr.storage.sessions import Change, Put, Remove, SessionStore

IDS = st.sampled_from([b"", b"a", b"b", b"\xff\0"])
TIMES = st.floats(0, 100)
CHANGES = st.lists(
    st.tuples(IDS, st.none() | st.tuples(st.binary(max_size=8), st.floats(1, 200))), max_size=6
)


class StoreMachine(RuleBasedStateMachine):
    """The saver and the sweeper do what one dictionary would, whoever is asked."""

    @initialize()
    def open(self) -> None:
        """Begin with an empty store that two have open."""
        self.folder = Path(tempfile.mkdtemp())
        self.stores = [SessionStore(self.folder / "store", checkpoints=each) for each in (True, False)]
        self.model: dict[bytes, tuple[bytes, float, float]] = {}
        self.now = 1_000_000.0

    @rule(seconds=TIMES)
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule(which=st.integers(0, 1), changes=CHANGES)
    def apply(self, which: int, changes: list[tuple[bytes, tuple[bytes, float] | None]]) -> None:
        """A batch of changes by either one."""
        batch: list[Change] = []
        expected = []
        for cache_id, content in changes:
            if content is None:
                batch.append(Remove(cache_id=cache_id))
                expected.append(self.model.pop(cache_id, None) is not None)
            else:
                session, lives = content
                ends = self.now + lives
                batch.append(Put(cache_id=cache_id, session=session, stored_at=self.now, expires_at=ends))
                self.model[cache_id] = session, self.now, ends
                expected.append(True)
        assert list(self.stores[which].apply(batch).done) == expected

    @rule(which=st.integers(0, 1), cache_id=IDS, timeout=st.integers(0, 250))
    def lookup(self, which: int, cache_id: bytes, timeout: int) -> None:
        """Either one finds what has not expired."""
        session, stored_at, ends = self.model.get(cache_id, (None, 0.0, 0.0))
        fresh = ends > self.now and stored_at + timeout > self.now
        assert self.stores[which].lookup(cache_id, self.now, timeout) == (session if fresh else None)

    @rule(which=st.integers(0, 1), limit=st.integers(1, 4))
    def sweep(self, which: int, limit: int) -> None:
        """One step removes expired entries only, and as many as asked for if there are."""
        expired = {cache_id for cache_id, (_, _, ends) in self.model.items() if ends <= self.now}
        store = self.stores[which]
        assert store.expired_count(self.now) == len(expired)
        assert len(store.remove_expired(self.now, limit)) == min(limit, len(expired))
        gone = {cache_id for cache_id in self.model if store.find(cache_id) is None}
        assert gone <= expired
        assert len(gone) == min(limit, len(expired))
        for cache_id in gone:
            del self.model[cache_id]

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        """One of them ends and begins again."""
        self.stores[which].close()
        self.stores[which] = SessionStore(self.folder / "store", checkpoints=which == 0)

    @invariant()
    def counts_agree(self) -> None:
        """The counter is right after every step."""
        if hasattr(self, "stores"):
            assert [store.count() for store in self.stores] == [len(self.model)] * 2

    def teardown(self) -> None:
        """Close and remove it all."""
        if hasattr(self, "stores"):
            for store in self.stores:
                store.close()
            shutil.rmtree(self.folder)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=25, stateful_step_count=20)
