"""The errors of tlsmgr: each says whose fault it is and which status answers it."""

from enum import IntEnum


class Status(IntEnum):
    """The status of a reply, as Postfix's TLS manager protocol has it (tls_mgr.h).

    Negative numbers travel as they are in MessagePack, and as unsigned 32-bit
    numbers in the Postfix attribute protocol.
    """

    OK = 0
    NOT_DONE = -1  #: not found, not saved, or not enabled for this key
    FAILED = -2  #: the request was malformed, or asks for what is not configured

    # Enum's own is a function in Python, on the hot path.
    __hash__ = int.__hash__


class ExitCode(IntEnum):
    """What an exit code of a worker or a command means (from sysexits.h where it has one)."""

    OK = 0
    NOT_DONE = 1  #: the answer was status -1: not found, not saved, not enabled
    USAGE = 64  #: wrong arguments on the command line
    REFUSED = 65  #: the answer was status -2: the server refused the request
    UNAVAILABLE = 69  #: the server does not answer
    SOFTWARE = 70  #: a defect of this program
    HOST = 71  #: the host lacks something: a file, a directory, disk space, a descriptor
    ADDRESS_IN_USE = 73  #: another live server owns the socket
    NO_PERMISSION = 77  #: the operating system or the server denied access
    CONFIGURATION = 78  #: a bad parameter; a restart does not help, an edit does
    HUNG = 79  #: the watchdog ended a process that made no progress
    GIVEN_UP = 80  #: the processes before this one crashed too often; see the log, then start it


class TlsmgrError(Exception):
    """The root of every error that this package raises on purpose.

    ``status`` is what a client that asked is answered; ``exit_code`` is what a
    process ends with when nobody catches the error.
    """

    status = Status.FAILED
    exit_code = ExitCode.SOFTWARE


class ConfigurationError(TlsmgrError):
    """The administrator's fault: a parameter is missing, malformed or contradictory.

    The message names file, line, parameter and what was expected.
    """

    exit_code = ExitCode.CONFIGURATION


class ProtocolError(TlsmgrError):
    """The peer's fault: it sent bytes that are not of the protocol."""

    exit_code = ExitCode.REFUSED


class HostError(TlsmgrError):
    """The host's fault: a file, a directory, a descriptor or disk space is missing."""

    status = Status.NOT_DONE
    exit_code = ExitCode.HOST


class StoreError(HostError):
    """The session store cannot be used now: damaged, full, or not accessible."""


class StoreDamagedError(StoreError):
    """The session store is not as this program left it: only a new one in its place helps."""


class StoreBusyError(StoreError):
    """Another process holds the store's write lock; the same call may succeed later."""


class StoreHeldError(StoreError):
    """The session store takes no changes until another process is done; opening it anew is no help."""


class GivenUpError(TlsmgrError):
    """The processes before this one crashed again and again: none is to be started by itself."""

    exit_code = ExitCode.GIVEN_UP


class AddressInUseError(HostError):
    """A live server, or a file that is no socket, is in the place of our socket."""

    exit_code = ExitCode.ADDRESS_IN_USE


class AccessDeniedError(HostError):
    """The operating system denies us a file or a socket."""

    exit_code = ExitCode.NO_PERMISSION


class ServerUnavailableError(TlsmgrError):
    """The server does not answer, or not within its deadline."""

    status = Status.NOT_DONE
    exit_code = ExitCode.UNAVAILABLE
