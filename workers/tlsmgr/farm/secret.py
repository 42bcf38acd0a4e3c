"""The secret of a farm as a value, and as the text that goes from host to host.

The text is short lines, so that it goes through any program that keeps secrets::

    tlsmgr farm secret 1
    store 0b9f...            32 bytes in hex: what seals what goes to a shared store
    epoch-seconds 1800       half of smtpd_tls_session_cache_timeout
    epoch 944444             where the chain is
    chain 5e11...            32 bytes in hex
    check 6c0d2f8f6ac1d9e2   of the lines before: finds out what was cut or mistyped

Values only: no clock, no I/O.
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final, NoReturn, Self

from tlsmgr.farm.ratchet import Ratchet

STORE_SECRET_SIZE: Final = 32

#: A good text is shorter.
TEXT_SIZE_MAX: Final = 1024

_FIRST_LINE: Final = "tlsmgr farm secret 1"
_TEXT: Final = re.compile(
    rf"{_FIRST_LINE}\nstore ([0-9a-f]{{64}})\nepoch-seconds ([1-9][0-9]{{0,9}})\n"
    r"epoch (0|[1-9][0-9]{0,18})\nchain ([0-9a-f]{64})\n(?=check ([0-9a-f]{16})\n*\Z)"
)
_CHECK_SIZE: Final = 16
_FINGERPRINT_LABEL: Final = b"tlsmgr farm 1 fingerprint"
_FINGERPRINT_SIZE: Final = 8


class NoFarmSecretError(ValueError):
    """The text is none of a farm's secret; the message says in how far, and does not quote it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FarmSecret:
    """What all hosts of a farm have in common. Its repr shows nothing of it.

    Attributes:
        store_secret: seals what goes to a shared store; the same for as long as the farm has this
            secret, while the ratchet goes on.
        ratchet: where the ticket keys come from.

    Raises:
        ValueError: the store secret has not 32 bytes.
    """

    store_secret: bytes = field(repr=False)
    ratchet: Ratchet

    def __post_init__(self) -> None:
        if len(self.store_secret) != STORE_SECRET_SIZE:
            raise ValueError(f"a store secret has {STORE_SECRET_SIZE} bytes, not {len(self.store_secret)}")

    @classmethod
    def make(cls, random_bytes: Callable[[int], bytes], *, epoch_seconds: int, epoch: int) -> Self:
        """Return a new secret, whose first epoch is ``epoch``."""
        ratchet = Ratchet.make(random_bytes, epoch_seconds=epoch_seconds, epoch=epoch)
        return cls(store_secret=random_bytes(STORE_SECRET_SIZE), ratchet=ratchet)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that hosts can compare, and from which nothing follows."""
        digest = hmac.digest(self.store_secret, _FINGERPRINT_LABEL, sha256)
        return digest[:_FINGERPRINT_SIZE].hex()

    def is_of_the_farm(self, other: Self) -> bool:
        """Tell whether both are of one secret, wherever the ratchets are."""
        return hmac.compare_digest(self.store_secret, other.store_secret)

    def at(self, ratchet: Ratchet) -> Self:
        """Return the secret with its ratchet somewhere else."""
        return replace(self, ratchet=ratchet)

    def to_text(self) -> str:
        """Return the text, secrets and all: for a file of mode 0600, and for nothing else."""
        ratchet = self.ratchet
        lines = (
            _FIRST_LINE,
            f"store {self.store_secret.hex()}",
            f"epoch-seconds {ratchet.epoch_seconds}",
            f"epoch {ratchet.epoch}",
            f"chain {ratchet.chain_key.hex()}",
        )
        text = "".join(f"{line}\n" for line in lines)
        return f"{text}check {_check(text)}\n"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the secret that ``to_text`` wrote.

        Raises:
            NoFarmSecretError: it is something else, or was changed.
        """
        if not text.startswith(f"{_FIRST_LINE}\n"):
            raise NoFarmSecretError(f"the first line is not {_FIRST_LINE!r}")
        matched = _TEXT.match(text)
        if matched is None or len(text) > TEXT_SIZE_MAX:
            raise NoFarmSecretError("a line is missing, malformed or too many")
        store, seconds, epoch, chain, check = matched.groups()
        if not hmac.compare_digest(check, _check(matched[0])):
            raise NoFarmSecretError("it was changed or cut: its check does not fit")
        try:
            ratchet = Ratchet(epoch_seconds=int(seconds), epoch=int(epoch), chain_key=bytes.fromhex(chain))
        except ValueError as error:
            raise NoFarmSecretError(str(error)) from error
        return cls(store_secret=bytes.fromhex(store), ratchet=ratchet)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FarmSecret):
            return NotImplemented
        return hmac.compare_digest(self.store_secret, other.store_secret) and self.ratchet == other.ratchet

    def __hash__(self) -> int:
        return hash((self.fingerprint, self.ratchet))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a farm's secret can be neither copied nor pickled")


def _check(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_CHECK_SIZE]
