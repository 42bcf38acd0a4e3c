"""Giving up root's rights, and keeping secrets out of core dumps."""

import ctypes
import os
import pwd
import resource
import sys

from tlsmgr.errors import AccessDeniedError, ConfigurationError

_PR_SET_DUMPABLE = 4


def become(user_name: str) -> None:
    """Run as ``user_name`` from now on, if this process runs as root.

    A process that root did not start keeps the user it has.

    Raises:
        ConfigurationError: There is no such user.
        AccessDeniedError: The kernel refuses.
    """
    if os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam(user_name)
    except KeyError:
        raise ConfigurationError(
            f"parameter mail_owner: unknown user {user_name!r}; name a user of this host"
        ) from None
    if user.pw_uid == 0:
        return
    try:
        # As Postfix's set_ugid(): no supplementary groups, then the group, then the user.
        os.setgroups([user.pw_gid])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    except OSError as error:
        raise AccessDeniedError(f"cannot run as user {user_name}: {error.strerror}") from error


def forbid_core_dumps() -> None:
    """See that a crash leaves no file with keys in it, and that other processes cannot read ours."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
