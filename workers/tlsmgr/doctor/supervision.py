"""What a supervisord says of our processes, asked over its control socket as supervisorctl asks."""

import configparser
import http.client
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError
from xmlrpc.client import Error, ServerProxy

from supervisor.options import ClientOptions
from supervisor.xmlrpc import SupervisorTransport

_TIMEOUT_SECONDS = 2.0
#: What scripts/run makes, beside main.cf.
_OWN_SOCKET = "supervisor.sock"
#: Where the supervisord of a host is configured, as supervisorctl looks for it.
_HOST_FILES = (Path("/etc/supervisord.conf"), Path("/etc/supervisor/supervisord.conf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One process as supervisord has it: its state, in supervisord's word, what it adds, and its log."""

    state: str
    text: str
    exit_code: int
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """What was found out.

    Attributes:
        place: The control socket or the file that names it; empty where there is none.
        trouble: Why it could not be asked, or nothing.
        programs: By name, such as ``tlsmgr:cache-server``; a program in no group has its name alone.
    """

    place: str = ""
    trouble: str = ""
    programs: Mapping[str, Program] = field(default_factory=dict)


#: Where there is no supervisord to be found.
NOBODY_ASKED = Supervision()


class _Connection(http.client.HTTPConnection):
    """HTTP over a UNIX socket, for which a stopped supervisord is not waited for without end."""

    def __init__(self, path: str) -> None:
        # A host's name is for the header alone, and may not be as long as a path.
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT_SECONDS)
        self.sock.connect(self._path)


class _Transport(SupervisorTransport):  # type: ignore[misc]  # supervisor ships no types
    """Supervisor's own, with a limit to waiting."""

    def __init__(self, url: str, user: str | None, password: str | None) -> None:
        super().__init__(user, password, url)
        if url.startswith("unix://"):
            self._get_connection = lambda: _Connection(url.removeprefix("unix://"))


def supervision_of(config_directory: Path, file: Path | None) -> Supervision:
    """Ask the supervisord that runs the workers of a configuration.

    Args:
        config_directory: Where scripts/run puts the control socket of its supervisord.
        file: The supervisord.conf of another one; by default a host's own, if there is one.
    """
    own = config_directory / _OWN_SOCKET
    if file is None and own.exists():
        return _asked(str(own), f"unix://{own}", None, None)
    found = file or next((each for each in _HOST_FILES if each.exists()), None)
    if found is None:
        return NOBODY_ASKED
    os.environ.setdefault("MAIL_CONFIG", str(config_directory))  # which our own file refers to
    try:
        section = ClientOptions().read_config(str(found))
    except (ValueError, configparser.Error) as error:
        return Supervision(place=str(found), trouble=" ".join(str(error).split()))
    return _asked(str(found), section.serverurl, section.username, section.password)


def _asked(place: str, url: str, user: str | None, password: str | None) -> Supervision:
    try:
        with ServerProxy("http://localhost", transport=_Transport(url, user, password)) as server:
            told = server.supervisor.getAllProcessInfo()
    except TimeoutError:
        return Supervision(place=place, trouble=f"no answer within {_TIMEOUT_SECONDS:g} s")
    except OSError as error:
        return Supervision(place=place, trouble=error.strerror or str(error))
    except (Error, ExpatError, http.client.HTTPException, ValueError) as error:
        return Supervision(place=place, trouble=f"no answer of a supervisord: {type(error).__name__}")
    return Supervision(place=place, programs=_programs(told))


def _programs(told: Any) -> dict[str, Program]:  # noqa: ANN401 - whatever came over the socket
    programs = {}
    for each in told if isinstance(told, list) else []:
        group, name = str(each.get("group")), str(each.get("name"))
        programs[name if group == name else f"{group}:{name}"] = Program(
            state=str(each.get("statename")),
            text=str(each.get("spawnerr") or each.get("description")),
            exit_code=int(each.get("exitstatus") or 0),
            log=str(each.get("stdout_logfile") or each.get("stderr_logfile") or "its log"),
        )
    return programs
