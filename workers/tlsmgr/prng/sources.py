"""External entropy sources: a device, an EGD server, or a plain file that is read once.

Opening needs the rights of who started the program and never waits, so it is done before
these rights are dropped and may be done again at any time. Reading is a coroutine with a
time limit. All descriptors are non-blocking, so neither stops the event loop. (Except for
what the disk takes to read a plain file: no loop can wait for that.)
"""

import asyncio
import contextlib
import os
import socket
import stat
from abc import ABC, abstractmethod

from tlsmgr.errors import ConfigurationError, HostError
from tlsmgr.prng.descriptor import read_some

TIME_LIMIT = 10.0  #: seconds that one read may take, as in Postfix

_DEVICE_PREFIX = "dev:"
_EGD_PREFIX = "egd:"
_EGD_READ = 1  # "give what you have of so many bytes, without waiting"
_EGD_SIZE_MAX = 255
_PIECE = 1 << 16
_OPEN_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class SourceError(HostError):
    """The entropy source cannot be used now; the message says what failed and what to do.

    A later try may succeed. Nothing depends on it: the kernel's generator goes on.
    """


class Source(ABC):
    """An entropy source: opened, then read every now and then.

    Args:
        name: the source as the parameter tls_random_source has it.
        path: the path in it.
        time_limit: seconds that a read may take.
    """

    def __init__(self, name: str, path: str, *, time_limit: float = TIME_LIMIT) -> None:
        self.name = name
        self._path = path
        self._time_limit = time_limit

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def spent(self) -> bool:
        """Whether the source was to be read once and has been."""
        return False

    @abstractmethod
    def open(self) -> None:
        """Open the source, or open it anew, without waiting.

        Raises:
            SourceError: it cannot be opened.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back what ``open`` got; harmless when there is nothing."""

    async def read(self, size: int) -> bytes:
        """Return 1 to ``size`` bytes within the time limit.

        Fewer than ``size`` are what was there at the end of the file or of the time.

        Raises:
            SourceError: there were none. Call ``open`` before the next read.
        """
        received = bytearray()
        cause: OSError | None = None
        try:
            async with asyncio.timeout(self._time_limit):
                await self._fill(received, size)
        except OSError as error:
            cause = error
        if not received:
            raise SourceError(f"cannot read entropy source {self.name}: {self._reason(cause)}") from cause
        return bytes(received)

    def _reason(self, cause: OSError | None) -> str:
        if isinstance(cause, TimeoutError):
            return f"nothing came within {self._time_limit:g} s; check what should feed it"
        if cause is None:
            return "it is at its end; check what should feed it"
        return f"{cause.strerror or cause}; check tls_random_source"

    @abstractmethod
    async def _fill(self, received: bytearray, size: int) -> None:
        """Append up to ``size`` bytes; the time limit may cut it off at any await."""


class DeviceSource(Source):
    """``dev:PATH``: a device, or a FIFO into which another program writes."""

    def __init__(self, name: str, path: str, *, time_limit: float = TIME_LIMIT) -> None:
        super().__init__(name, path, time_limit=time_limit)
        self._descriptors: list[int] = []

    def open(self) -> None:
        """Open the path, or open it anew.

        A descriptor got before stays in use when there is no new one: after dropping
        privileges, or in a chroot, the path may be out of reach while the device works.

        Raises:
            SourceError: it cannot be opened, and is not open.
        """
        try:
            descriptors = self._open_path()
        except OSError as error:
            if self._descriptors:
                return
            raise SourceError(
                f"cannot open entropy source {self.name}: {error.strerror}; check that the path exists "
                "and may be read, or set tls_random_source to dev:/dev/urandom"
            ) from error
        self.close()
        self._descriptors = descriptors

    def close(self) -> None:
        """Give back the descriptors."""
        for fd in self._descriptors:
            os.close(fd)
        self._descriptors = []

    def _open_path(self) -> list[int]:
        fd = os.open(self._path, os.O_RDONLY | _OPEN_FLAGS)
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            return [fd]
        # Our own end to write at: with it the FIFO has no end of file when a writer leaves.
        # Without the right to write, each end of file is an error and a reason to open anew.
        with contextlib.suppress(OSError):
            return [fd, os.open(self._path, os.O_WRONLY | _OPEN_FLAGS)]
        return [fd]

    async def _fill(self, received: bytearray, size: int) -> None:
        if not self._descriptors:
            raise SourceError(f"entropy source {self.name} is not open")
        while len(received) < size:
            piece = await read_some(self._descriptors[0], min(size - len(received), _PIECE))
            if not piece:
                return
            received += piece
            # A device that is never out of bytes must not keep the loop from its other work.
            await asyncio.sleep(0)


class FileSource(DeviceSource):
    """A plain file: read from its start, once, and then closed."""

    def __init__(self, name: str, path: str, *, time_limit: float = TIME_LIMIT) -> None:
        super().__init__(name, path, time_limit=time_limit)
        self._spent = False

    @property
    def spent(self) -> bool:
        """Whether the file has been read."""
        return self._spent

    async def read(self, size: int) -> bytes:
        """Return the first ``size`` bytes, or all that the file has, and close it.

        Raises:
            SourceError: it is empty or cannot be read.
        """
        data = await super().read(size)
        self._spent = True
        self.close()
        return data


class EgdSource(Source):
    """``egd:SOCKET``: a server that speaks the entropy gathering daemon's protocol.

    The request is the byte 1 and a count; the answer is a count, not above the one asked
    for, and that many bytes.
    """

    def __init__(self, name: str, path: str, *, time_limit: float = TIME_LIMIT) -> None:
        super().__init__(name, path, time_limit=time_limit)
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Connect, or connect anew: an answer that was cut off would be taken for the next one.

        Raises:
            SourceError: nobody answers there; also when the server's queue is full.
        """
        self.close()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)  # noqa: FBT003 - its only way
            connection.connect(self._path)
        except OSError as error:
            connection.close()
            raise SourceError(
                f"cannot connect to EGD server {self.name}: {error.strerror or error}; check that it runs "
                "and that its socket may be written, or set tls_random_source to dev:/dev/urandom"
            ) from error
        self._socket = connection

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _fill(self, received: bytearray, size: int) -> None:
        if self._socket is None:
            raise SourceError(f"entropy source {self.name} is not open")
        wanted = min(size, _EGD_SIZE_MAX)
        self._socket.sendall(bytes([_EGD_READ, wanted]))
        count = (await self._receive(self._socket, 1))[0]
        if count == 0:
            raise SourceError(f"EGD server {self.name} has no entropy now; check what should feed it")
        if count > wanted:
            raise SourceError(
                f"{self.name} answered {count} bytes when asked for {wanted}: is it an EGD server?"
            )
        # Only a whole answer counts, so it is put together elsewhere.
        received += await self._receive(self._socket, count)

    async def _receive(self, connection: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = await read_some(connection.fileno(), size - len(data))
            if not piece:
                raise SourceError(f"EGD server {self.name} closed the connection within an answer")
            data += piece
        return data


def parse_source(name: str, *, time_limit: float = TIME_LIMIT) -> Source | None:
    """Return the source that a value of tls_random_source names, not yet open.

    Args:
        name: ``dev:PATH``, ``egd:SOCKET``, the path of a plain file, or empty for none.
        time_limit: seconds that a read may take.

    Raises:
        ConfigurationError: there is no path behind ``dev:`` or ``egd:``.
    """
    if not name:
        return None
    kinds: dict[str, type[Source]] = {_DEVICE_PREFIX: DeviceSource, _EGD_PREFIX: EgdSource}
    for prefix, kind in kinds.items():
        if name == prefix:
            raise ConfigurationError(f'tls_random_source = {name}: expected a path after "{prefix}"')
        if name.startswith(prefix):
            return kind(name, name.removeprefix(prefix), time_limit=time_limit)
    return FileSource(name, name, time_limit=time_limit)
