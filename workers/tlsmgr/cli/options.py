"""What the verbs' options have in common."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from tlsmgr.config.settings import Settings, load_settings
from tlsmgr.config.standard_directory import configuration_directory
from tlsmgr.errors import ExitCode

#: What ``add_subparsers`` returns; argparse does not name the type in public.
Verbs: TypeAlias = "argparse._SubParsersAction[Any]"  # noqa: SLF001 - see above
CarryOut: TypeAlias = Callable[[argparse.Namespace], ExitCode]


def add_verb(verbs: Verbs, name: str, text: str, carry_out: CarryOut) -> argparse.ArgumentParser:
    """Add a verb that takes ``-c DIR``, as Postfix's commands do; return its parser."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text, add_help=False)
    # Without -h, which is one of postconf's own options.
    parser.add_argument("--help", action="help", help="show this help and end")
    parser.add_argument(
        "-c",
        dest="config_directory",
        metavar="DIR",
        type=Path,
        default=configuration_directory(),
        help="the directory with main.cf (default: $MAIL_CONFIG, or %(default)s)",
    )
    parser.set_defaults(carry_out=carry_out)
    return parser


def settings_of(options: argparse.Namespace) -> Settings:
    """Return the configuration in the directory that ``-c`` names."""
    return load_settings(options.config_directory)
