"""The verb ``farm``: what several hosts need to resume each other's sessions."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tlsmgr.cli import farm_comparison, farm_secret
from tlsmgr.cli.options import Verbs, add_verb
from tlsmgr.errors import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One of the verb's actions.

    ``carry_out`` gets the options, with the ``words`` that followed: from ``least`` to ``most``.
    """

    text: str
    carry_out: Callable[[argparse.Namespace], ExitCode]
    least: int = 0
    most: int = 0


_ACTIONS: Final = {
    "check": Action(
        text="what would keep the sessions of this host and of each HOST apart (a host is asked over ssh;"
        " or a file with what describe printed there; - for standard input)",
        carry_out=farm_comparison.check,
        least=1,
        most=1000,
    ),
    "describe": Action(
        text="print what another host has to know to compare itself with this one, and no secret",
        carry_out=farm_comparison.describe,
    ),
    "export": Action(
        text="give out the farm's secret for a host that joins: to a new FILE, or to a pipe",
        carry_out=farm_secret.export,
        most=1,
    ),
    "import": Action(
        text="take over the farm's secret, from FILE or standard input, into the file that the configuration"
        " names",
        carry_out=farm_secret.take_over,
        most=1,
    ),
    "new-secret": Action(
        text="make a new secret: to a new FILE, or to a pipe",
        carry_out=farm_secret.new_secret,
        most=1,
    ),
}


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the command."""
    parser = add_verb(verbs, "farm", "Have several hosts resume each other's sessions.", _farm)
    parser.add_argument(
        "action",
        choices=sorted(_ACTIONS),
        help="; ".join(f"{name}: {_ACTIONS[name].text}" for name in sorted(_ACTIONS)),
    )
    parser.add_argument("words", nargs="*", metavar="HOST_OR_FILE", help="what the action is about")
    parser.add_argument(
        "--next-epoch",
        action="store_true",
        help="new-secret: one that begins with the next epoch, so that until then all hosts can take it over"
        " without losing a resumption",
    )
    parser.set_defaults(parser=parser)


def _farm(options: argparse.Namespace) -> ExitCode:
    action = _ACTIONS[options.action]
    if not action.least <= len(options.words) <= action.most:
        wanted = "no words" if not action.most else "one word" if action.most == 1 else "a word or more"
        options.parser.error(f"farm {options.action}: expected {wanted} after it, got {len(options.words)}")
    return action.carry_out(options)
