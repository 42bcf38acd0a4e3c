"""What goes to a store that hosts share: sealed, and under names from which nothing is learnt.

Both follow from the farm's secret, which all its hosts have. So who reads the store sees sizes and
times; and what somebody without the secret writes there is found out, as is what was moved or swapped.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tlsmgr.sealing.keys import SEALING_KEY_SIZE, SealingKey, SealingKeys
from tlsmgr.sealing.sealer import OtherKeyError, Sealer, TamperedError, bound

#: What each of our keys in a store begins with: access lists go by it.
NAME_PREFIX: Final = b"tlsmgr:"
_NAME_BYTES: Final = 18
_NAMES_LABEL: Final = b"tlsmgr shared store 1 names"
_SEALING_LABEL: Final = b"tlsmgr shared store 1 sealing"


class SharedSealer:
    """Seals for all hosts of a farm, and names what is sealed.

    Args:
        secret: the farm's: 32 random bytes or more.
        random_bytes: the kernel's generator, as ``Sealer`` asks for.
    """

    def __init__(self, secret: bytes, random_bytes: Callable[[int], bytes]) -> None:
        self._names_key = _derived(secret, _NAMES_LABEL)
        key = SealingKey(_derived(secret, _SEALING_LABEL))
        self._sealer = Sealer(SealingKeys(keys=(key,)), random_bytes)

    def name(self, *place: bytes) -> bytes:
        """Return the key in the store of what belongs to ``place``: who has no secret cannot tell which."""
        digest = hmac.digest(self._names_key, bound(*place), sha256)[:_NAME_BYTES]
        return NAME_PREFIX + urlsafe_b64encode(digest)

    def seal(self, plaintext: bytes, *place: bytes) -> bytes:
        """Return ``plaintext`` sealed; it opens with the same ``place`` only."""
        return self._sealer.seal(plaintext, bound_to=bound(*place))

    def open(self, sealed: bytes, *place: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            TamperedError: it is not what a host of this farm sealed for this place.
        """
        try:
            return self._sealer.open(sealed, bound_to=bound(*place))
        except OtherKeyError as error:
            # A host with another secret has other names, too: it would not have put it there.
            raise TamperedError("sealed bytes are not of this farm") from error


def _derived(secret: bytes, label: bytes) -> bytes:
    return HKDF(algorithm=SHA512(), length=SEALING_KEY_SIZE, salt=None, info=label).derive(secret)
