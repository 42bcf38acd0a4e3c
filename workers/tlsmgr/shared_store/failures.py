"""Why a shared store did not do what it was asked: few causes, each with what to do about it."""

from enum import Enum

from tlsmgr.errors import Status, TlsmgrError


class Cause(Enum):
    """What kind of failure it was; the value is its name in figures and documents."""

    UNREACHABLE = "unreachable"
    SLOW = "slow"
    LOADING = "loading"
    FAILING_OVER = "failing_over"
    LOGIN = "login"
    DATABASE = "database"
    RIGHTS = "rights"
    WRONG_TYPE = "wrong_type"
    READ_ONLY = "read_only"
    FULL = "full"
    OTHER = "other"

    @property
    def is_of_whole_store(self) -> bool:
        """Whether any other request would have met it, too: then it is better not to ask for a while."""
        return self in _OF_WHOLE_STORE


_OF_WHOLE_STORE = frozenset(
    {Cause.UNREACHABLE, Cause.SLOW, Cause.LOADING, Cause.FAILING_OVER, Cause.LOGIN, Cause.DATABASE}
)


class SharedStoreError(TlsmgrError):
    """The shared store cannot be used now, or refuses a request: nothing was found or saved.

    Args:
        cause: what kind of failure it is.
        message: what happened, and what to do; without a secret.
    """

    status = Status.NOT_DONE

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause
