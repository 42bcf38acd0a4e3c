"""HMAC_DRBG with SHA-512: the generator of NIST SP 800-90A Rev. 1, section 10.1.2.

The algorithm and nothing else: no clock, no kernel, no policy. It is checked against
NIST's own CAVP vectors. Security strength: 256 bits.
"""

from hashlib import sha512
from hmac import digest
from typing import NoReturn

from tlsmgr.errors import TlsmgrError

_HASH = "sha512"
_OUTPUT_SIZE = 64
# RFC 2104: the key, padded to the hash's block size, XORed with either pad.
_HASH_BLOCK_SIZE = 128
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))

ENTROPY_SIZE_MIN = 32  #: the security strength: 256 bits (SP 800-90A, table 2)
NONCE_SIZE_MIN = 16  #: half the security strength (SP 800-90A, 8.6.7)
INPUT_SIZE_MAX = 1 << 32  #: 2^35 bits, of entropy, personalization and additional input alike
REQUEST_SIZE_MAX = 1 << 16  #: 2^19 bits in one request
RESEED_INTERVAL_MAX = 1 << 48  #: requests between two seedings


class ReseedRequiredError(TlsmgrError):
    """The generator gave as many outputs as it may; call ``reseed``, then ask again."""


class HMACDRBG:
    """A deterministic generator: the same inputs in the same order give the same output.

    Its state is replaced after every output, so that a later state does not tell an
    earlier output (backtracking resistance; Python cannot wipe the bytes objects that
    held former states). It can be neither copied nor pickled: a second one in the same
    state would repeat the output of the first. Not for several threads at once.

    Args:
        entropy: at least 32 bytes with at least 256 bits of entropy.
        nonce: at least 16 bytes that do not come again with the same entropy.
        personalization: any bytes, to tell this generator from others; may be empty.
        reseed_interval: requests between two seedings, at most the standard's 2^48.

    Raises:
        ValueError: an input is shorter or longer than the standard allows.
    """

    __slots__ = ("_counter", "_interval", "_key", "_value")

    def __init__(
        self,
        entropy: bytes,
        nonce: bytes,
        personalization: bytes = b"",
        *,
        reseed_interval: int = RESEED_INTERVAL_MAX,
    ) -> None:
        _check_size("entropy", entropy, ENTROPY_SIZE_MIN)
        _check_size("nonce", nonce, NONCE_SIZE_MIN)
        _check_size("personalization", personalization)
        if not 1 <= reseed_interval <= RESEED_INTERVAL_MAX:
            raise ValueError(f"reseed_interval is {reseed_interval}, not 1..{RESEED_INTERVAL_MAX}")
        self._interval = reseed_interval
        self._key = bytes(_OUTPUT_SIZE)
        self._value = b"\x01" * _OUTPUT_SIZE
        self._update(entropy + nonce + personalization)
        self._counter = 1

    def __repr__(self) -> str:
        return f"<HMACDRBG SHA-512, request {self._counter} since it was seeded>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an HMACDRBG can be neither copied nor pickled: the copy would repeat its output")

    @property
    def reseed_counter(self) -> int:
        """The number of the next request since the last seeding, from 1."""
        return self._counter

    def reseed(self, entropy: bytes, additional: bytes = b"") -> None:
        """Mix fresh entropy into the state (10.1.2.4).

        Args:
            entropy: at least 32 bytes with at least 256 bits of entropy.
            additional: any bytes, trusted for nothing; may be empty.

        Raises:
            ValueError: an input is shorter or longer than the standard allows.
        """
        _check_size("entropy", entropy, ENTROPY_SIZE_MIN)
        _check_size("additional", additional)
        self._update(entropy + additional)
        self._counter = 1

    def generate(self, n: int, additional: bytes = b"") -> bytes:
        """Return ``n`` bytes (10.1.2.5).

        Args:
            n: how many bytes: 0 to 65536.
            additional: any bytes, trusted for nothing; may be empty.

        Raises:
            ValueError: ``n`` or the length of ``additional`` is out of range.
            ReseedRequiredError: the reseed interval is over; nothing was changed.
        """
        if not 0 <= n <= REQUEST_SIZE_MAX:
            raise ValueError(f"{n} bytes were asked for, not 0..{REQUEST_SIZE_MAX}")
        _check_size("additional", additional)
        if self._counter > self._interval:
            raise ReseedRequiredError(f"{self._interval} requests since the last seeding: reseed first")
        if additional:
            self._update(additional)
        output = self._output(n)
        self._update(additional)
        self._counter += 1
        return output

    def _output(self, n: int) -> bytes:
        # All blocks have one key: hashing its two pads once makes a long output three times as fast.
        key = self._key.ljust(_HASH_BLOCK_SIZE, b"\0")
        inner, outer = sha512(key.translate(_INNER)).copy, sha512(key.translate(_OUTER)).copy
        value = self._value
        blocks = []
        for _ in range(0, n, _OUTPUT_SIZE):
            message, block = inner(), outer()
            message.update(value)
            block.update(message.digest())
            value = block.digest()
            blocks.append(value)
        self._value = value
        return b"".join(blocks)[:n]

    def _update(self, data: bytes) -> None:
        """Replace key and value (10.1.2.2); without data only the first half is done."""
        key = digest(self._key, self._value + b"\x00" + data, _HASH)
        value = digest(key, self._value, _HASH)
        if data:
            key = digest(key, value + b"\x01" + data, _HASH)
            value = digest(key, value, _HASH)
        self._key, self._value = key, value


def _check_size(name: str, data: bytes, minimum: int = 0) -> None:
    if not minimum <= len(data) <= INPUT_SIZE_MAX:
        raise ValueError(f"{name} has {len(data)} bytes, not {minimum}..{INPUT_SIZE_MAX}")
