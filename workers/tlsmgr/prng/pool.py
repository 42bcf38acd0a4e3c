"""The pool: everything that is stirred in, and the kernel's generator, behind one ``generate``.

Every output is HMAC_DRBG output XORed with as many fresh kernel bytes. So it is at least
as good as the kernel's, whatever a hostile source stirred in and however the state may have
leaked or been copied (by fork, or with a virtual machine); and it is at least as good as the
generator's, should the kernel's ever turn out weak. A kernel that gives no bytes is an
error: half of that promise is not given out in silence.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha512

from tlsmgr.errors import HostError
from tlsmgr.prng.hmac_drbg import ENTROPY_SIZE_MIN, HMACDRBG, NONCE_SIZE_MIN, REQUEST_SIZE_MAX

# What a part of an input is. Each part goes in as tag, length, data, so that no two
# different sequences of parts have the same bytes.
_STIRRED, _ACCUMULATED, _TIME, _KERNEL, _SOURCE, _PROCESS = (bytes([tag]) for tag in range(1, 7))


class KernelRandomError(HostError):
    """The kernel's generator failed, so nothing was given out; the next call tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatistics:
    """What a pool did since it was made.

    Attributes:
        requests: requests for random bytes, as ``generate`` and ``count_requests`` were told.
        bytes: bytes given out, for requests and for our own use.
        reseeds: calls of ``reseed``, and the times the pool reseeded itself from the kernel.
        stirs: calls of ``stir``.
        entropy_bytes: bytes that ``reseed`` was told are entropy; the kernel's not counted.
        since: when the pool was made, in nanoseconds since 1970.
    """

    requests: int
    bytes: int
    reseeds: int
    stirs: int
    entropy_bytes: int
    since: int


class Pool:
    """A generator that anybody may stir and that is never weaker than the kernel's.

    Safe to fork: a child sees its new process number and reseeds from the kernel, and the
    kernel bytes in every output differ in any case. Not for several threads at once.

    Args:
        kernel: gives as many bytes as asked for from the kernel's generator, or raises OSError.
        clock: the time of day in nanoseconds since 1970; it goes into every output.
        process: the number of the running process, to find out about a fork.
        reseed_interval: requests after which the state takes in kernel bytes of its own
            accord, whether there is a source or none.

    Raises:
        KernelRandomError: the kernel's generator failed.
    """

    def __init__(
        self,
        *,
        kernel: Callable[[int], bytes] = os.urandom,
        clock: Callable[[], int] = time.time_ns,
        process: Callable[[], int] = os.getpid,
        reseed_interval: int = 1 << 16,
    ) -> None:
        self._kernel = kernel
        self._clock = clock
        self._process = process
        self._interval = reseed_interval
        self._owner = process()
        self._since = clock()
        self._requests = self._bytes = self._reseeds = self._stirs = self._entropy_bytes = 0
        self._pending = False
        self._accumulator = sha512()
        self._drbg = HMACDRBG(
            self._kernel_bytes(ENTROPY_SIZE_MIN),
            self._kernel_bytes(NONCE_SIZE_MIN),
            self._time() + self._identity(),
        )

    def __repr__(self) -> str:
        return f"<Pool of process {self._owner}, {self._requests} requests>"

    def stir(self, data: bytes) -> None:
        """Mix in any data, of any length, from anywhere; it is trusted for nothing.

        The next ``generate`` or ``reseed`` folds it in. Data can never take away what is
        in the pool: two pools that differ in one stir differ in all later output.
        """
        self._accumulator.update(_part(_STIRRED, data))
        self._pending = True
        self._stirs += 1

    def reseed(self, entropy: bytes) -> None:
        """Mix in bytes of an entropy source that passed its health tests, and kernel bytes.

        They are counted as entropy in the statistics; the pool's strength does not rely on
        that, since at least 32 kernel bytes go in with them. What failed a test belongs
        into ``stir``.

        Raises:
            KernelRandomError: the kernel's generator failed; nothing was changed.
        """
        self._reseed(_part(_SOURCE, entropy))
        self._entropy_bytes += len(entropy)

    def generate(self, n: int, *, requests: int = 1) -> bytes:
        """Return ``n`` random bytes, 0 to 65536, that nobody got before or gets again.

        What was stirred in and the time of day go in first. Afterwards the state is
        replaced: who learns it later does not learn these bytes.

        Args:
            n: how many bytes.
            requests: how many requests they count as in the statistics: 0 for our own use,
                and for a block fetched ahead, which ``count_requests`` accounts for later.

        Raises:
            ValueError: ``n`` is out of range.
            KernelRandomError: the kernel's generator failed; nothing was given out.
        """
        if not 0 <= n <= REQUEST_SIZE_MAX:
            raise ValueError(f"{n} bytes were asked for, not 0..{REQUEST_SIZE_MAX}")
        # Before the state is touched, so that a failing kernel changes nothing.
        mask = self._kernel_bytes(n)
        if self._drbg.reseed_counter > self._interval or self._process() != self._owner:
            self._reseed(b"")
        output = self._drbg.generate(n, self._additional())
        self._requests += requests
        self._bytes += n
        return _xor(output, mask)

    def count_requests(self, requests: int) -> None:
        """Count requests that were served out of a block fetched ahead."""
        self._requests += requests

    def statistics(self) -> PoolStatistics:
        """Return what the pool did since it was made."""
        return PoolStatistics(
            requests=self._requests,
            bytes=self._bytes,
            reseeds=self._reseeds,
            stirs=self._stirs,
            entropy_bytes=self._entropy_bytes,
            since=self._since,
        )

    def _reseed(self, source: bytes) -> None:
        kernel = _part(_KERNEL, self._kernel_bytes(ENTROPY_SIZE_MIN))
        self._drbg.reseed(kernel + source, self._additional() + self._identity())
        self._reseeds += 1

    def _additional(self) -> bytes:
        """Return the time of day and what was stirred in since the last call."""
        if not self._pending:
            return self._time()
        digest = self._accumulator.digest()
        self._accumulator = sha512()
        self._pending = False
        return self._time() + _part(_ACCUMULATED, digest)

    def _time(self) -> bytes:
        return _part(_TIME, self._clock().to_bytes(16, "big", signed=True))

    def _identity(self) -> bytes:
        self._owner = self._process()
        return _part(_PROCESS, self._owner.to_bytes(8, "big"))

    def _kernel_bytes(self, n: int) -> bytes:
        try:
            data = self._kernel(n)
        except OSError as error:
            raise KernelRandomError(
                f"the kernel's random generator failed ({error.strerror or error}): no bytes are given out; "
                "a chroot needs dev/urandom where the kernel has no getrandom call"
            ) from error
        if len(data) != n:
            raise KernelRandomError(f"the kernel's random generator gave {len(data)} of {n} bytes")
        return data


def _part(tag: bytes, data: bytes) -> bytes:
    return tag + len(data).to_bytes(8, "big") + data


def _xor(first: bytes, second: bytes) -> bytes:
    number = int.from_bytes(first, "big") ^ int.from_bytes(second, "big")
    return number.to_bytes(len(first), "big")
