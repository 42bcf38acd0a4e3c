"""What must hold before a Postfix is told to use our socket."""

import os
import pwd
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tlsmgr.config.settings import Settings
from tlsmgr.errors import HostError, ProtocolError, Status
from tlsmgr.hookup.postconf import Postconf
from tlsmgr.messages import CacheType, PolicyRequest, Reply, Verb
from tlsmgr.wire.attribute_client import ReplyReader, encode_request

PARAMETER = "tlsmgr_service_name"
OLDEST_VERSION = (3, 0)
#: From this version on, a client waits until the server has announced its protocol.
ANNOUNCEMENT_VERSION = (3, 6)

_TIMEOUT_SECONDS = 5.0
_REPLY_SIZE_LIMIT = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The outcome of one check, in words that say what to do when it failed."""

    passed: bool
    text: str


def socket_path(settings: Settings) -> Path:
    """Return the socket that our cache server has for Postfix."""
    return settings.queue_directory / "private" / settings.tlsmgr_service_name


def all_checks(settings: Settings, postconf: Postconf) -> Iterator[Check]:
    """Carry out every check, and stop after the first that failed."""
    for check in POSTFIX_CHECKS.values():
        outcome = check(settings, postconf)
        yield outcome
        if not outcome.passed:
            return
    for look in SOCKET_CHECKS.values():
        outcome = look(settings)
        yield outcome
        if not outcome.passed:
            return


def _versions(settings: Settings, postconf: Postconf) -> Check:
    text = postconf.value("mail_version")
    version = _version_numbers(text)
    if version < OLDEST_VERSION:
        return Check(passed=False, text=f"Postfix {text} is older than 3.0, whose protocol this is")
    wanted = version >= ANNOUNCEMENT_VERSION
    if settings.tlsmgr_protocol_announcement is not wanted:
        return Check(
            passed=False,
            text=f"Postfix {text} wants tlsmgr_protocol_announcement = {'yes' if wanted else 'no'};"
            " set that in tlsmgr.cf and restart cache-server",
        )
    return Check(passed=True, text=f"Postfix {text} speaks our protocol")


def _version_numbers(text: str) -> tuple[int, ...]:
    numbers = text.split("-", maxsplit=1)[0].split(".")
    return tuple(int(number) for number in numbers if number.isdecimal())


def _same_queue(settings: Settings, postconf: Postconf) -> Check:
    theirs = postconf.value("queue_directory")
    if Path(theirs) != settings.queue_directory:
        return Check(
            passed=False,
            text=f"queue_directory is {settings.queue_directory} for tlsmgr but {theirs} for Postfix;"
            " make them the same",
        )
    return Check(passed=True, text=f"both use queue_directory {theirs}")


def _own_name(settings: Settings) -> Check:
    name = settings.tlsmgr_service_name
    if name == "tlsmgr":
        return Check(
            passed=False,
            text="tlsmgr_service_name is tlsmgr, the socket of Postfix's own tlsmgr(8);"
            " set another name in tlsmgr.cf (tlsmgr_service_name = tlsmgr-cache) and restart cache-server",
        )
    return Check(passed=True, text=f"our socket has a name of its own, {name}")


def _lets_smtpd_in(settings: Settings) -> Check:
    path = socket_path(settings)
    try:
        owner = pwd.getpwnam(settings.mail_owner)
        found, folder = path.lstat(), path.parent.stat()
    except (OSError, KeyError) as error:
        return Check(
            passed=False, text=f"cannot examine {path}: {_in_words(error)}; is cache-server running?"
        )
    if not stat.S_ISSOCK(found.st_mode):
        return Check(passed=False, text=f"{path} is no socket; move it away and restart cache-server")
    for status, bit, what in ((folder, stat.S_IXUSR, path.parent), (found, stat.S_IWUSR, path)):
        if not _grants(status, owner, bit):
            return Check(
                passed=False,
                text=f"{what}: owner and mode do not let {settings.mail_owner} in; chown and chmod it",
            )
    return Check(passed=True, text=f"{path}: owner and mode let {settings.mail_owner} in")


def _grants(status: os.stat_result, user: pwd.struct_passwd, owner_bit: int) -> bool:
    if status.st_uid == user.pw_uid:
        return bool(status.st_mode & owner_bit)
    if status.st_gid == user.pw_gid:
        return bool(status.st_mode & owner_bit >> 3)
    return bool(status.st_mode & owner_bit >> 6)


def _answers(settings: Settings) -> Check:
    path = socket_path(settings)
    try:
        reply = _ask_policy(path, announces=settings.tlsmgr_protocol_announcement)
    except (OSError, ProtocolError, HostError) as error:
        return Check(
            passed=False, text=f"{path} does not answer: {_in_words(error)}; is cache-server running?"
        )
    if reply.status is not Status.OK:
        return Check(passed=False, text=f"{path} refuses to tell its policy; see the log of cache-server")
    return Check(passed=True, text=f"{path} answers")


def _ask_policy(path: Path, *, announces: bool) -> Reply:
    reader = ReplyReader(_REPLY_SIZE_LIMIT)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_TIMEOUT_SECONDS)
        client.connect(str(path))
        while announces and not reader.read_announcement():
            _receive(client, reader)
        client.sendall(encode_request(PolicyRequest(cache_type=CacheType.SMTPD)))
        while (reply := reader.next_reply(Verb.POLICY)) is None:
            _receive(client, reader)
    return reply


def _receive(client: socket.socket, reader: ReplyReader) -> None:
    data = client.recv(_REPLY_SIZE_LIMIT)
    if not data:
        raise HostError("it ended the connection")
    reader.feed(data)


#: What Postfix must be like, each check under a name of its own.
POSTFIX_CHECKS: Mapping[str, Callable[[Settings, Postconf], Check]] = {
    "Postfix version": _versions,
    "queue directory": _same_queue,
}
#: What our socket must be like, in the order in which one failing makes the next ones idle.
SOCKET_CHECKS: Mapping[str, Callable[[Settings], Check]] = {
    "socket name": _own_name,
    "socket access": _lets_smtpd_in,
    "socket answer": _answers,
}


def _in_words(error: Exception) -> str:
    """Return what an error says, without the operating system's number for it."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
