"""A host with a ratchet whose clocks a test sets."""

from tests.farm.test_secret import secret
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.ratchet_host import RatchetHost, TroubleKind

RULES = EpochRules(epoch_seconds=60, skew=10)
START = 60 * 1000 + 30


class Host(RatchetHost):
    """A host whose file is replaced as soon as that is due, and whose clocks a test sets."""

    def __init__(self, epoch: int = 999, *, first: int = 0) -> None:
        super().__init__()
        self.use(RULES)
        self.take(secret(epoch, first=first))
        self.now = START
        self.monotonic = 0.0
        self.live()

    def live(self, seconds: int = 0, *, by_clock: int | None = None) -> None:
        """Let time pass, by the clock perhaps another one, and do all that is due then."""
        self.monotonic += seconds
        self.now += seconds if by_clock is None else by_clock
        while self.work(self.now, self.monotonic):
            pass
        due = self.due(self.monotonic)
        if due is not None:
            self.settle(due)

    def encrypts_with(self) -> bytes | None:
        """Return the name of the key for new tickets."""
        found = self.table.encryption_key(self.now)
        return None if found is None else found.key.name

    def decrypts(self, name: bytes | None) -> bool:
        """Tell whether a ticket under that name is accepted."""
        return name is not None and self.table.find(name, self.now) is not None

    def trouble_kind(self) -> TroubleKind | None:
        """Tell what is wrong."""
        trouble = self.trouble(self.now)
        return None if trouble is None else trouble.kind
