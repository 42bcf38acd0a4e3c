"""What the verbs' options have in common."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from tlsmgr.config.settings import Settings, load_settings
from tlsmgr.config.standard_directory import configuration_directory
from tlsmgr.errors import ExitCode
from tlsmgr.messages import CacheType

#: What ``add_subparsers`` returns; argparse does not name the type in public.
Verbs: TypeAlias = "argparse._SubParsersAction[Any]"  # noqa: SLF001 - see above
CarryOut: TypeAlias = Callable[[argparse.Namespace], ExitCode]


class OneOrNone(tuple[str, ...]):
    """The choices of words that may be left out: argparse looks whether no word is one of them."""

    __slots__ = ()

    def __contains__(self, word: object) -> bool:
        return word == [] or super().__contains__(word)


def cache_type(text: str) -> CacheType:
    """Return the cache that an argument names."""
    try:
        return CacheType(text)
    except ValueError:
        expected = ", ".join(each.value for each in CacheType)
        raise argparse.ArgumentTypeError(f"{text!r}: expected one of {expected}") from None


def seconds(text: str) -> float:
    """Return the time that an argument says, above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: expected seconds, more than 0")
    return number


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
