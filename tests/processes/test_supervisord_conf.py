"""supervisord.conf holds what the code relies on."""

import configparser
import importlib.util
from pathlib import Path

import pytest

from rehearsal.checkout import CHECKOUT
from tlsmgr.cli.workers import WORKERS
from tlsmgr.errors import ExitCode
from tlsmgr.processes.crash_record import REST_SECONDS
from tlsmgr.processes.kinds import KINDS
from tlsmgr.processes.lifecycle import DRAIN_SECONDS, SUPERVISOR_START_SECONDS

_NAMES = sorted(KINDS)


def _read(*path: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read(Path(CHECKOUT, *path), encoding="utf-8")
    return parser


_CONF = _read("supervisord.conf")


def test_the_group_has_the_three_workers() -> None:
    """The group is called tlsmgr, and each of its programs has a section."""
    programs = _CONF["group:tlsmgr"]["programs"].split(",")

    assert sorted(programs) == _NAMES
    assert sorted(name for name in _CONF.sections() if name.startswith("program:")) == [
        f"program:{name}" for name in _NAMES
    ]


@pytest.mark.parametrize("name", _NAMES)
def test_one_name_in_five_places(name: str) -> None:
    """Section, module, verb, and through the kind's name the socket and the log prefix, agree."""
    section = _CONF[f"program:{name}"]

    assert section["command"] == f"%(here)s/.venv/bin/tlsmgr serve {name}"
    assert importlib.util.find_spec(f"tlsmgr.processes.{name.replace('-', '_')}")
    assert KINDS[name].name == name
    assert name in WORKERS


@pytest.mark.parametrize("name", _NAMES)
def test_exit_codes_that_are_not_tried_again(name: str) -> None:
    """Done, badly configured and given up are ends; anything else brings the worker back."""
    section = _CONF[f"program:{name}"]

    ends = (ExitCode.OK, ExitCode.CONFIGURATION, ExitCode.GIVEN_UP)
    assert section["exitcodes"] == ",".join(f"{code:d}" for code in ends)
    assert section["autorestart"] == "unexpected"
    assert section["autostart"] == "true"


@pytest.mark.parametrize("name", _NAMES)
def test_times(name: str) -> None:
    """The code outlives startsecs, and KILL comes only after draining has had its time."""
    section = _CONF[f"program:{name}"]

    assert float(section["startsecs"]) == SUPERVISOR_START_SECONDS
    assert float(section["stopwaitsecs"]) > DRAIN_SECONDS
    assert section["stopsignal"] == "TERM"


@pytest.mark.parametrize("name", _NAMES)
def test_who_is_given_up_rests_for_longer_than_supervisord_tries(name: str) -> None:
    """It waits a second longer before each try, looks once a second, and a start takes its time as well."""
    tries = int(_CONF[f"program:{name}"]["startretries"]) + 1

    assert sum(range(tries)) + 2 * tries < REST_SECONDS


def test_the_server_of_seeds_starts_first() -> None:
    """Lower priorities start first and stop last."""
    priorities = {name: int(_CONF[f"program:{name}"]["priority"]) for name in _NAMES}

    assert sorted(priorities, key=priorities.__getitem__) == ["prng-server", "cache-server", "expiry-sweeper"]


def test_the_event_listener_stands_apart() -> None:
    """It is in no group of others, speaks on stdout, and its log, which wakes supervisord, is on stderr."""
    section = _CONF["eventlistener:tlsmgr-health"]

    assert section["command"] == "%(here)s/.venv/bin/python -m tlsmgr.processes.health"
    assert importlib.util.find_spec("tlsmgr.processes.health.__main__")
    assert {"PROCESS_STATE", "TICK_5"} == set(section["events"].split(","))
    assert section["stdout_logfile"] == "NONE"
    assert "tlsmgr-health" not in _CONF["group:tlsmgr"]["programs"]


def test_what_would_change_a_system_wide_supervisord_stands_apart() -> None:
    """The included file has no section of supervisord's own; scripts/run.conf has them."""
    own = {"unix_http_server", "supervisord", "rpcinterface:supervisor"}

    assert not own & set(_CONF.sections())
    assert own <= set(_read("scripts", "run.conf").sections())
    assert _read("scripts", "run.conf")["unix_http_server"]["chmod"] == "0600"
