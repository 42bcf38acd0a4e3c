"""Giving up root's rights, entering a chroot jail, keeping secrets out of core dumps."""

import ctypes
import os
import pwd
import resource
import signal
import sys
from pathlib import Path

from tlsmgr.errors import AccessDeniedError, ConfigurationError, HostError

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


def become(user_name: str) -> None:
    """Run as ``user_name`` from now on, if this process runs as root.

    A process that root did not start keeps the user it has.

    Raises:
        ConfigurationError: There is no such user.
        AccessDeniedError: The kernel refuses.
    """
    user = _other_user(user_name)
    if user is None:
        return
    try:
        _give_up_root(user)
    except OSError as error:
        raise AccessDeniedError(f"cannot run as user {user_name}: {error.strerror}") from error


def act_as(user_name: str) -> None:
    """Act with the rights of ``user_name`` until ``enter_jail``, if this process runs as root.

    Raises what ``become`` raises.
    """
    user = _other_user(user_name)
    if user is None:
        return
    try:
        os.setgroups([user.pw_gid])
        os.setegid(user.pw_gid)
        os.seteuid(user.pw_uid)
    except OSError as error:
        raise AccessDeniedError(f"cannot act as user {user_name}: {error.strerror}") from error


def enter_jail(directory: Path, user_name: str) -> None:
    """Take root's rights back for as long as it takes to chroot to ``directory``, then give them up.

    Raises:
        AccessDeniedError: The kernel refuses: root did not start this process.
    """
    user = pwd.getpwnam(user_name)
    try:
        os.seteuid(0)
        os.setegid(0)
        os.chroot(directory)
        os.chdir("/")
        _give_up_root(user)
    except OSError as error:
        raise AccessDeniedError(f"cannot chroot to {directory}: {error.strerror}; start as root") from error


def allow_all_descriptors() -> None:
    """Raise the limit of open descriptors as far as it may be: each client has one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def forbid_core_dumps() -> None:
    """See that a crash leaves no file with keys in it, and that other processes cannot read ours."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


class Parent:
    """The process that started this one, for one that must not outlive it."""

    def __init__(self) -> None:
        self._process_id = os.getppid()

    def end_with_it(self) -> None:
        """Be told to stop by SIGTERM when the parent ends, however it ends (prctl(2)).

        The kernel forgets it at each change of user. Elsewhere than on Linux this does nothing.

        Raises:
            HostError: The parent has ended already.
        """
        if sys.platform != "linux":
            return
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != self._process_id:
            raise HostError("the process that started this one has ended meanwhile")


def _give_up_root(user: pwd.struct_passwd) -> None:
    # As Postfix's set_ugid(): no supplementary groups, then the group, then the user.
    os.setgroups([user.pw_gid])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)


def _other_user(user_name: str) -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    try:
        user = pwd.getpwnam(user_name)
    except KeyError:
        raise ConfigurationError(
            f"parameter mail_owner: unknown user {user_name!r}; name a user of this host"
        ) from None
    return None if user.pw_uid == 0 else user
