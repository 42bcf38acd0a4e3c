"""The command line, as the argument parser has it: verbs, options, words."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tlsmgr.cli import make_parser


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """An option with its spellings, or a word (no spellings) with its name in ``value``.

    ``value`` is empty for an option that takes none. ``choices`` are all that may stand there.
    """

    spellings: Sequence[str]
    value: str
    choices: Sequence[str]
    text: str
    optional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb of the command."""

    name: str
    text: str
    arguments: Sequence[Argument]

    @property
    def options(self) -> list[Argument]:
        """What begins with a dash."""
        return [argument for argument in self.arguments if argument.spellings]

    @property
    def words(self) -> list[Argument]:
        """What does not."""
        return [argument for argument in self.arguments if not argument.spellings]


def verbs() -> list[Verb]:
    """Return the verbs in the order of ``tlsmgr --help``."""
    (found,) = (each for each in actions(make_parser()) if isinstance(each, argparse._SubParsersAction))  # noqa: SLF001 - argparse does not name the type in public
    parsers: dict[str, argparse.ArgumentParser] = dict(found.choices)
    return [
        Verb(name=name, text=parser.description or "", arguments=list(_arguments(parser)))
        for name, parser in parsers.items()
    ]


def actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return what a parser takes."""
    return list(parser._actions)  # noqa: SLF001 - argparse has no public way to read it


def _arguments(parser: argparse.ArgumentParser) -> Iterator[Argument]:
    for action in actions(parser):
        if action.help == argparse.SUPPRESS:
            continue
        choices = [str(choice) for choice in action.choices or () if isinstance(choice, str)]
        name = action.metavar if isinstance(action.metavar, str) else action.dest
        if action.choices and not action.metavar:
            name = "{" + ",".join(choices) + "}"
        yield Argument(
            spellings=tuple(action.option_strings),
            value="" if action.nargs == 0 else name,
            choices=choices,
            text=_expanded(action, parser),
            optional=bool(action.option_strings) or action.nargs in ("?", "*"),
        )


def _expanded(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    return (action.help or "") % {**vars(action), "prog": parser.prog}
