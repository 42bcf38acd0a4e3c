"""The verb ``postfix``: hook a Postfix up to tlsmgr, or undo that."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tlsmgr.cli.options import Verbs, add_verb, settings_of
from tlsmgr.config.settings import Settings
from tlsmgr.errors import ExitCode
from tlsmgr.hookup.checks import PARAMETER, all_checks, socket_path
from tlsmgr.hookup.former_value import FormerValue
from tlsmgr.hookup.postconf import Postconf

LoadSettings: TypeAlias = Callable[[], Settings]


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the command."""
    parser = add_verb(verbs, "postfix", "Hook Postfix up to tlsmgr, or undo that.", _postfix)
    parser.add_argument(
        "action",
        choices=sorted(_ACTIONS),
        help="status: what is configured, and whether it works; enable: make Postfix use our socket"
        " if every check passes; disable: put the former value back",
    )


def _postfix(options: argparse.Namespace) -> ExitCode:
    directory: Path = options.config_directory
    return _ACTIONS[options.action](directory, partial(settings_of, options), Postconf(directory))


def _status(directory: Path, load: LoadSettings, postconf: Postconf) -> ExitCode:
    del directory  # postconf knows it
    settings = load()
    name = postconf.value(PARAMETER)
    uses_ours = name == settings.tlsmgr_service_name
    _say(f"Postfix uses {PARAMETER} = {name}: {'our socket' if uses_ours else 'not our socket'}")
    _say(f"our socket: {socket_path(settings)}")
    passed = _all_pass(settings, postconf)
    return ExitCode.OK if passed and uses_ours else ExitCode.NOT_DONE


def _enable(directory: Path, load: LoadSettings, postconf: Postconf) -> ExitCode:
    settings = load()
    if not _all_pass(settings, postconf):
        _say("nothing was changed")
        return ExitCode.NOT_DONE
    ours = settings.tlsmgr_service_name
    former = postconf.explicit_value(PARAMETER)
    if former == ours:
        _say(f"nothing to change: {PARAMETER} = {ours} already")
        return ExitCode.OK
    FormerValue(value=former, ours=ours).save(directory)
    postconf.set(PARAMETER, ours)
    _say(f"main.cf: {PARAMETER} = {ours} (formerly {_shown(former)})")
    _say_how_to_reload(directory)
    return ExitCode.OK


def _disable(directory: Path, load: LoadSettings, postconf: Postconf) -> ExitCode:
    # The way back is not to depend on a configuration that may be why somebody wants to go back.
    current = postconf.explicit_value(PARAMETER)
    saved = FormerValue.load(directory)
    if current != (saved.ours if saved is not None else load().tlsmgr_service_name):
        _say(f"nothing to change: Postfix uses {PARAMETER} = {postconf.value(PARAMETER)}")
        return ExitCode.OK
    former = saved.value if saved is not None else None
    if former is None:
        postconf.unset(PARAMETER)
    else:
        postconf.set(PARAMETER, former)
    FormerValue.forget(directory)
    _say(f"main.cf: {PARAMETER} is {_shown(former)} again")
    _say_how_to_reload(directory)
    return ExitCode.OK


_ACTIONS = {"status": _status, "enable": _enable, "disable": _disable}


def _all_pass(settings: Settings, postconf: Postconf) -> bool:
    passed = True
    for check in all_checks(settings, postconf):
        _say(f"{'ok' if check.passed else 'FAILED'}: {check.text}")
        passed = passed and check.passed
    return passed


def _shown(value: str | None) -> str:
    return "not set, so Postfix's default" if value is None else value


def _say_how_to_reload(directory: Path) -> None:
    _say(f"now run: postfix -c {directory} reload")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
