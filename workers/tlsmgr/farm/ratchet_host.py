"""One host of a farm with a ratchet: from its secret, its rules and its clocks to its table of keys.

No I/O: whoever has one tells it the time, lets it work in slices, and writes down what it says is due.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.key_table import EMPTY_TABLE, FarmKey, KeyTable
from tlsmgr.farm.ratchet import Progress, Ratchet
from tlsmgr.farm.secret import FarmSecret
from tlsmgr.messages import TICKET_KEY_NAME_SIZE

SOURCE: Final = "ratchet"
#: Steps of the ratchet at a time: well under a millisecond.
SLICE_STEPS: Final = 32
#: Epochs after the next one whose keys' names are known: by them a clock that is behind is found out.
NAMES_AHEAD: Final = 12
#: Names that are remembered in all. A name is no secret: each ticket shows it.
_NAMES_MAX: Final = 64


class TroubleKind(StrEnum):
    """Why there is no key of the farm for the present epoch."""

    UNREAD = "unread"
    MISFIT = "misfit"  #: the secret is for another timeout
    NOT_YET = "not yet"  #: the chain begins with the next epoch: it is new, or was revoked
    CLOCK = "clock"  #: the chain is further than this host's clock
    CATCHING_UP = "catching up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What kind of trouble, and in words with what to do."""

    kind: TroubleKind
    text: str


class RatchetHost:
    """Holds the secret of one host, and of its keys those whose time it is or will be soon.

    Attributes:
        table: the keys that are ready, in time for any request.
        secret: what the file is to have; nothing before it can be derived from this object, but the
            keys in the table. None at first.
    """

    def __init__(self) -> None:
        self.table = EMPTY_TABLE
        self.secret: FarmSecret | None = None
        self._rules: EpochRules | None = None
        self._progress: Progress | None = None
        self._former: tuple[FarmKey, ...] = ()
        self._revoked_at: int | None = None
        self._names: dict[bytes, int] = {}
        self._built: tuple[int, int, Ratchet] | None = None

    @property
    def leapt(self) -> bool:
        """Whether the clock is more than an epoch ahead of what is kept."""
        leapt_at = None if self._progress is None else self._progress.leapt_at
        return leapt_at is not None and not self.is_revoking

    @property
    def awaits_proof(self) -> bool:
        """Whether the clock is ahead of what is kept, by however little, which has to stand for a while."""
        return self._progress is not None and self._progress.advanced_at is not None

    @property
    def is_revoking(self) -> bool:
        """Whether a revoked key still follows from what is kept, or nobody knows, since nothing was read."""
        if self._progress is None:
            return self._revoked_at is not None
        return self._progress.kept.epoch < self._floor(self._progress)

    def use(self, rules: EpochRules | None) -> None:
        """Go by these rules; None for no tickets. Keys of other epochs' lengths go at once."""
        self._rules, self._built = rules, None
        if rules is None or self.table.rules.epoch_seconds != rules.epoch_seconds:
            self.table, self._former = EMPTY_TABLE, ()
        else:
            self.table = replace(self.table, rules=rules)

    def take(self, secret: FarmSecret) -> None:
        """Derive keys from this secret from now on.

        Those that are there decrypt to their end, and encrypt for as long as the new chain has not
        begun, so that hosts can change over one after the other; unless they were revoked. What was
        revoked stays so when the same secret comes again, or is read for the first time only now.
        """
        is_revoked = self._revoked_at is not None
        self._former = () if is_revoked else self.table.keys
        if is_revoked:
            self.table = replace(self.table, keys=())
        if self.secret is not None and not secret.is_of_the_farm(self.secret):
            self._revoked_at = None
        self.secret, self._progress, self._built = secret, Progress.at(secret.ratchet), None

    def work(self, now: int, monotonic: float) -> bool:
        """Take one slice of what is due; tell whether there is more.

        Args:
            now: the time of day, in whole seconds since 1970.
            monotonic: a clock that nobody sets.
        """
        self._prune(now)
        rules, progress = self._rules, self._progress
        if progress is None:
            return False
        oldest = self._floor(progress)
        if rules is not None and not self._misfits(rules, progress):
            oldest = max(oldest, rules.oldest_accepted(now))
        self._progress = progress = progress.towards(oldest, monotonic=monotonic, steps=SLICE_STEPS)
        if not progress.is_at(oldest):
            return True
        if rules is not None and not self._misfits(rules, progress):
            self._build_if_due(rules, oldest, progress.working, now)
        return False

    def due(self, monotonic: float) -> FarmSecret | None:
        """Return what is to be in the file in place of ``secret``; None while that is right."""
        progress, secret = self._progress, self.secret
        if secret is None or progress is None:
            return None
        is_revoked = progress.kept.epoch < self._floor(progress) <= progress.working.epoch
        return secret.at(progress.working) if is_revoked or progress.is_proven(monotonic=monotonic) else None

    def settle(self, secret: FarmSecret) -> None:
        """Forget all that was before what ``due`` returned."""
        self.secret, self._progress = secret, Progress.at(secret.ratchet)

    def revoke(self, now: int) -> None:
        """Have no key of the present epoch or before; nor a way to one, once what is due then is settled.

        By the epochs of the secret itself, whatever the rules are; of one that is not read yet, by its
        epochs when it is.
        """
        self._former, self._revoked_at, self._built = (), now, None
        self.table = replace(self.table, keys=())

    def epoch_of(self, name: bytes) -> int | None:
        """Return the epoch of a key by its name: of those that were in the table, and of some ahead."""
        return self._names.get(name)

    def trouble(self, now: int) -> Trouble | None:
        """Return why there is no key for new tickets; None when there is, or when there are no tickets."""
        rules, progress = self._rules, self._progress
        if rules is None or self.table.encryption_key(now) is not None:
            return None
        if progress is None:
            return Trouble(kind=TroubleKind.UNREAD, text="no secret has been read yet")
        if self._misfits(rules, progress):
            return _misfit(rules, progress)
        begins = max(progress.kept.epoch, self._floor(progress))
        if begins > rules.epoch_at(now):
            return _too_early(rules, begins, now)
        text = f"{rules.epoch_at(now) - progress.working.epoch} epochs are still to be gone through"
        return Trouble(kind=TroubleKind.CATCHING_UP, text=text)

    def _misfits(self, rules: EpochRules, progress: Progress) -> bool:
        return progress.kept.epoch_seconds != rules.epoch_seconds

    def _floor(self, progress: Progress) -> int:
        """Return the first epoch of this chain that is not revoked."""
        return 0 if self._revoked_at is None else self._revoked_at // progress.kept.epoch_seconds + 1

    def _prune(self, now: int) -> None:
        """Forget keys whose time is over, which those of a former secret are whatever the present one is."""
        pruned = self.table.pruned(now)
        self._former = replace(self.table, keys=self._former).pruned(now).keys
        if len(pruned.keys) != len(self.table.keys):
            self.table, self._built = pruned, None

    def _build_if_due(self, rules: EpochRules, oldest: int, working: Ratchet, now: int) -> None:
        place = rules.epoch_at(now), oldest, working
        if self._built != place:
            self._build(rules, working, now)
            self._built = place

    def _build(self, rules: EpochRules, working: Ratchet, now: int) -> None:
        """Fill the table with the keys from the oldest one that decrypts to the next one."""
        present = rules.epoch_at(now)
        chains = list(working.following(max(0, present + 1 - working.epoch) + 1))
        table = KeyTable(rules=rules)
        for chain in chains:
            table = table.with_key(
                FarmKey.from_material(chain.key_material(), epoch=chain.epoch, rules=rules, source=SOURCE)
            )
        for key in self._former:
            table = table.with_key(key, preferred=False)
        self.table = table.pruned(now)
        self._remember({key.key.name: key.epoch for key in reversed(self.table.keys)})
        self._remember(dict(_names(chains[-1].next().following(NAMES_AHEAD))))

    def _remember(self, names: Mapping[bytes, int]) -> None:
        self._names = dict([*(self._names | dict(names)).items()][-_NAMES_MAX:])


def _names(chains: Iterator[Ratchet]) -> Iterator[tuple[bytes, int]]:
    for chain in chains:
        yield chain.key_material()[:TICKET_KEY_NAME_SIZE], chain.epoch


def _misfit(rules: EpochRules, progress: Progress) -> Trouble:
    theirs = progress.kept.epoch_seconds
    text = (
        f"the farm's secret has epochs of {theirs} s, and half of smtpd_tls_session_cache_timeout is"
        f" {rules.epoch_seconds} s: set it to {2 * theirs}s on all hosts, or make a new secret for all"
    )
    return Trouble(kind=TroubleKind.MISFIT, text=text)


def _too_early(rules: EpochRules, begins: int, now: int) -> Trouble:
    text = f"the farm's secret begins with epoch {begins}, in {rules.begins_at(begins) - now} s"
    if begins == rules.epoch_at(now) + 1:
        return Trouble(kind=TroubleKind.NOT_YET, text=text)
    text += ": this host's clock is behind, or that of the host where it was made was ahead; see timedatectl"
    return Trouble(kind=TroubleKind.CLOCK, text=text)
