"""``tlsmgr farm describe`` and ``farm check``: why would another host not resume our sessions?"""

import argparse
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tlsmgr.cli.asking import call_for_map
from tlsmgr.cli.options import settings_of
from tlsmgr.cli.terminal import Painter, printable
from tlsmgr.client import Client
from tlsmgr.config.settings import Settings
from tlsmgr.doctor.host_description import Answers, describe_host
from tlsmgr.doctor.surroundings import postfix_of
from tlsmgr.errors import ExitCode, HostError, ProtocolError, ServerUnavailableError, TlsmgrError
from tlsmgr.farm.comparison import Obstacle, clock_obstacle, obstacles
from tlsmgr.farm.description import HostDescription
from tlsmgr.messages import CacheType

_TIMEOUT_SECONDS: Final = 5.0
_REMOTE_SECONDS: Final = 30.0
_STANDARD_INPUT: Final = "-"
# Nobody is there to type a password, or to say yes to a host key.
_SSH: Final = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10")
_DESCRIBE: Final = ("tlsmgr", "farm", "describe")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Other:
    """Another host; and by how many seconds its clock is ahead, where it could be asked right now."""

    description: HostDescription
    clock_ahead: float | None = None


def describe(options: argparse.Namespace) -> ExitCode:
    """Print the description of this host as one line of JSON."""
    sys.stdout.write(_own_description(options).as_json() + "\n")
    return ExitCode.OK


def check(options: argparse.Namespace) -> ExitCode:
    """Compare this host with each other one that ``options.words`` names, and say what was found."""
    ours = _own_description(options)
    code = ExitCode.OK
    for name in options.words:
        try:
            other = _description_of(name)
        except TlsmgrError as error:
            sys.stderr.write(f"tlsmgr: {printable(f'{name}: {error}')}\n")
            code = error.exit_code
            continue
        found = _all_obstacles(ours, other)
        _print(printable(other.description.host), found)
        if code is ExitCode.OK and any(each.is_certain for each in found):
            code = ExitCode.NOT_DONE
    return code


def _all_obstacles(ours: HostDescription, other: _Other) -> list[Obstacle]:
    clock = None if other.clock_ahead is None else clock_obstacle(ours, other.clock_ahead)
    return [*obstacles(ours, other.description), *([] if clock is None else [clock])]


def _print(host: str, found: list[Obstacle]) -> None:
    painter = Painter(sys.stdout)
    if not found:
        sys.stdout.write(f"{host}: {painter.paint('ok', 'green')}: nothing keeps sessions apart\n")
    for each in found:
        mark = painter.paint("KEPT APART", "red") if each.is_certain else painter.paint("note", "yellow")
        text = printable(f"{each.concerns}: {each.text} -> {each.advice}")
        sys.stdout.write(f"{host}: {mark}: {text}\n")


def _own_description(options: argparse.Namespace) -> HostDescription:
    settings = settings_of(options)
    return describe_host(
        settings,
        postfix_of(options.config_directory),
        _ask_cache_server(settings),
        host=socket.gethostname(),
        now=time.time(),
    )


def _ask_cache_server(settings: Settings) -> Answers:
    try:
        with Client(settings.tlsmgr_run_directory / "cache-server.sock", timeout=_TIMEOUT_SECONDS) as client:
            keys = call_for_map(client, "keys")["keys"]
            entries = call_for_map(client, "list", CacheType.SMTPD.value, 0)["entries"]
            farm = call_for_map(client, "stats").get("farm", {})
    except ServerUnavailableError as error:
        return Answers(trouble=str(error))
    return Answers(
        keys=keys,
        smtpd_ids=[entry[0] for entry in entries],
        trouble=farm.get("trouble", ""),
        fingerprint=farm.get("fingerprint", ""),
    )


def _description_of(name: str) -> _Other:
    if name == _STANDARD_INPUT:
        return _Other(description=HostDescription.from_json(sys.stdin.read()))
    if os.sep in name or Path(name).exists():
        return _Other(description=HostDescription.from_json(_file_text(Path(name))))
    return _asked(name)


def _file_text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise HostError(f"cannot read {path}: {error.strerror}") from error


def _asked(host: str) -> _Other:
    """Ask a host over ssh, as who runs this; the way there and back is taken for equally long."""
    if host.startswith("-"):
        raise ProtocolError("a host's name does not begin with a hyphen")
    before = time.time()
    try:
        done = subprocess.run(  # noqa: S603 - the command is this module's own, and the host no option
            [*_SSH, "--", host, *_DESCRIBE],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_REMOTE_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise HostError("ssh is not installed; give a file with what tlsmgr farm describe printed") from error
    except subprocess.TimeoutExpired as error:
        raise ServerUnavailableError(f"it did not answer over ssh within {_REMOTE_SECONDS:g} s") from error
    after = time.time()
    if done.returncode != 0:
        raise ServerUnavailableError(f"ssh {host} {' '.join(_DESCRIBE)}: {_last_line(done.stderr)}")
    description = HostDescription.from_json(done.stdout)
    ahead = description.described_at - (before + after) / 2
    doubt = (after - before) / 2
    return _Other(description=description, clock_ahead=max(0.0, abs(ahead) - doubt))


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
