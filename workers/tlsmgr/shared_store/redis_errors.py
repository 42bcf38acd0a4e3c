"""What redis-py raises, as the few causes that we tell apart."""

from redis import exceptions as raised

from tlsmgr.shared_store.failures import Cause, SharedStoreError

_TEXT_MAX = 120
_PARAMETER = "tlsmgr_redis_credentials_file"

#: The first that fits counts: several are subclasses of later ones.
_BY_CLASS: tuple[tuple[type[Exception], Cause], ...] = (
    (raised.AuthenticationError, Cause.LOGIN),
    (raised.AuthorizationError, Cause.LOGIN),
    (raised.AuthenticationWrongNumberOfArgsError, Cause.LOGIN),
    (raised.NoPermissionError, Cause.RIGHTS),
    (raised.BusyLoadingError, Cause.LOADING),
    (raised.ReadOnlyError, Cause.READ_ONLY),
    (raised.OutOfMemoryError, Cause.FULL),
    (raised.ClusterError, Cause.FAILING_OVER),
    (raised.AskError, Cause.FAILING_OVER),  # and its subclass for MOVED, when there were too many
    (raised.TryAgainError, Cause.FAILING_OVER),
    (raised.RedisClusterException, Cause.FAILING_OVER),
    (IndexError, Cause.FAILING_OVER),
    (raised.TimeoutError, Cause.SLOW),
    (raised.ConnectionError, Cause.UNREACHABLE),
)
_BY_TEXT = (
    ("WRONGTYPE", Cause.WRONG_TYPE),
    ("DB index is out of range", Cause.DATABASE),
    ("invalid DB index", Cause.DATABASE),
    ("Timeout connecting", Cause.UNREACHABLE),
    ("No master found", Cause.FAILING_OVER),
    ("previous master is now", Cause.FAILING_OVER),
)
#: What a server may say of a command that it refuses. Whatever else is in its answer stays out of logs:
#: of a command that it does not know a server quotes what came with it, and AUTH comes with a password.
_KNOWN_TEXTS = (
    *("WRONGTYPE", "WRONGPASS", "NOAUTH", "NOPERM", "NOPROTO", "OOM", "READONLY", "LOADING", "MISCONF"),
    *("NOREPLICAS", "CLUSTERDOWN", "MASTERDOWN", "MOVED", "TRYAGAIN", "CROSSSLOT", "EXECABORT"),
    *("DB index is out of range", "invalid DB index", "unknown command", "syntax error"),
    *("wrong number of arguments", "value is not an integer", "invalid expire time"),
    *("cluster support disabled", "No master found", "invalid username-password pair"),
    "Client sent AUTH, but no password is set",
    "AUTH <password> called without any password configured",
)
#: Classes whose text redis-py wrote itself, out of addresses and what the system says.
_OWN_TEXTS = (raised.ConnectionError, raised.TimeoutError)
_SAID = {
    Cause.UNREACHABLE: "cannot be reached",
    Cause.SLOW: "does not answer in time",
    Cause.LOADING: "is loading its data",
    Cause.FAILING_OVER: "is failing over, or has no server for our keys",
    Cause.LOGIN: f"refuses our user or password; see {_PARAMETER}",
    Cause.RIGHTS: "denies our user a command or a key; it needs +getrange +set +del +ping and ~tlsmgr:*",
    Cause.WRONG_TYPE: "has another program's data under our keys; use a database of our own",
    Cause.READ_ONLY: "is a replica that takes no changes; name its master, or use redis+sentinel://",
    Cause.FULL: "is full; raise its maxmemory, or set maxmemory-policy volatile-ttl",
    Cause.DATABASE: "has no database of that number",
    Cause.OTHER: "failed",
}


def as_shared_store_error(error: Exception, where: object) -> SharedStoreError:
    """Return what ``error`` means; its message says where, what, and what to do.

    Args:
        error: what redis-py raised, or the operating system.
        where: the store's address, as it may be shown.
    """
    while isinstance(error.__cause__, raised.RedisError):
        # What a server says to a login over a UNIX socket comes wrapped as a failure to connect.
        error = error.__cause__
    cause = _cause(error, str(error))
    shown = _shown(error) or type(error).__name__
    return SharedStoreError(cause, f"shared store {where} {_SAID[cause]}: {shown}")


def _shown(error: Exception) -> str:
    """Return what may be shown of an error's text: none of what a server wrote, but known words."""
    if type(error) not in _OWN_TEXTS and not isinstance(error, OSError):
        return next((text for text in _KNOWN_TEXTS if text in str(error)), "")
    return "".join(each if each.isprintable() else "?" for each in str(error))[:_TEXT_MAX].strip()


def _cause(error: Exception, text: str) -> Cause:
    for part, cause in _BY_TEXT:
        if part in text:
            return cause
    for kind, cause in _BY_CLASS:
        if isinstance(error, kind):
            return cause
    return Cause.UNREACHABLE if isinstance(error, OSError) else Cause.OTHER
