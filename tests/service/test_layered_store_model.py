"""Memory before a store against a dictionary, while another process changes the store."""

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.service.other_process import OtherProcess
from tests.service.stores import session_sealer
from tlsmgr.service.layered_store import LayeredStore
from tlsmgr.service.session_memory import SessionMemory
from tlsmgr.storage.limits import StoreLimits
from tlsmgr.storage.sessions import Put, Remove, SessionStore

IDS = st.sampled_from([b"", b"a", b"b", b"c"])
SESSIONS = st.binary(max_size=60)
LIVES = st.floats(1, 200)
#: Room for about three entries, so that memory forgets now and then.
MEMORY = 1500
ENTRIES = 3


class LayeredStoreMachine(RuleBasedStateMachine):
    """Whoever changed it: a lookup tells what is in the store and has not expired."""

    @initialize()
    def open(self) -> None:
        """Begin with an empty store."""
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp())
        self.stack.callback(shutil.rmtree, self.folder)
        self.memory = SessionMemory(MEMORY)
        self.layers = LayeredStore(self.memory.shelf(), lambda _: None, session_sealer())
        self.layers.attach(SessionStore(self.folder / "store", checkpoints=True, lock_wait=5.0))
        self.stack.callback(self.layers.detach, durably=False)
        self.other = self.stack.enter_context(OtherProcess(self.folder / "store"))
        self.model: dict[bytes, tuple[bytes, float, float]] = {}
        self.now = 1_000_000.0

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule(cache_id=IDS, session=SESSIONS, lives=LIVES)
    def put(self, cache_id: bytes, session: bytes, lives: float) -> None:
        """We save a session."""
        ends = self.now + lives
        put = Put(cache_id=cache_id, session=session, stored_at=self.now, expires_at=ends)
        assert list(self.layers.apply([put])) == [True]
        self.model[cache_id] = session, self.now, ends

    @rule(cache_id=IDS)
    def remove(self, cache_id: bytes) -> None:
        """We remove one; the answer tells whether it was there."""
        expected = self.model.pop(cache_id, None) is not None
        assert list(self.layers.apply([Remove(cache_id=cache_id)])) == [expected]

    @rule(cache_id=IDS, session=SESSIONS, lives=LIVES)
    def other_puts(self, cache_id: bytes, session: bytes, lives: float) -> None:
        """The other process saves one."""
        ends = self.now + lives
        self.other.put(cache_id, session, self.now, ends)
        self.model[cache_id] = session, self.now, ends

    @rule(cache_id=IDS)
    def other_removes(self, cache_id: bytes) -> None:
        """The other process removes one."""
        self.other.remove(cache_id)
        self.model.pop(cache_id, None)

    @rule()
    def other_sweeps(self) -> None:
        """The other process removes what has expired."""
        self.other.sweep(self.now)
        self.model = {key: entry for key, entry in self.model.items() if entry[2] > self.now}

    @rule(limit=st.sampled_from([0, ENTRIES]))
    def limit(self, limit: int) -> None:
        """The limit is changed; what is too much goes, the nearest to expiry first."""
        self.layers.limits = StoreLimits(entries=limit)
        while self.layers.keep_up(self.now):
            pass
        self._expect_within_limits()

    @rule(cache_id=IDS, timeout=st.integers(0, 250))
    def lookup(self, cache_id: bytes, timeout: int) -> None:
        """Found, if it is there and neither time is over."""
        session, stored_at, ends = self.model.get(cache_id, (None, 0.0, 0.0))
        fresh = ends > self.now and stored_at + timeout > self.now
        assert self.layers.lookup(cache_id, self.now, timeout) == (session if fresh else None)

    @rule()
    def reopen(self) -> None:
        """The store is closed and opened again."""
        self.layers.detach(durably=False)
        self.layers.attach(
            SessionStore(self.folder / "store", checkpoints=True, lock_wait=5.0, open_wait=5.0)
        )

    @invariant()
    def memory_is_bounded(self) -> None:
        """It never takes more than its limit."""
        if hasattr(self, "memory"):
            assert 0 <= self.memory.used <= MEMORY

    @invariant()
    def store_is_within_limits(self) -> None:
        """What we save takes the room of what is nearest to expiry."""
        if hasattr(self, "stack"):
            self._expect_within_limits()

    @invariant()
    def everything_is_told_as_it_is(self) -> None:
        """Also what we had in memory when another process changed it."""
        if hasattr(self, "stack"):
            self._expect_within_limits()  # also learns what has gone for want of room
            for cache_id in (b"", b"a", b"b", b"c"):
                self.lookup(cache_id, 250)

    def _expect_within_limits(self) -> None:
        store = self.layers.store
        assert store is not None
        present = {key for key in self.model if store.find(key) is not None}
        gone = [self.model.pop(key) for key in self.model.keys() - present]
        assert store.count() == len(self.model)
        if gone:
            assert self.layers.limits.entries == len(present)
            assert max(entry[2] for entry in gone) <= min(entry[2] for entry in self.model.values())

    def teardown(self) -> None:
        """Close and remove it all."""
        if hasattr(self, "stack"):
            self.stack.close()


TestLayeredStoreMachine = LayeredStoreMachine.TestCase
TestLayeredStoreMachine.settings = settings(max_examples=15, stateful_step_count=25)
