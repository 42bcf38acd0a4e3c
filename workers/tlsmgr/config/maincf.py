"""The syntax of main.cf (postconf(5)): logical lines, definitions, and where each one stands.

Nothing here knows a parameter by name, and nothing expands ``$name``: a definition's
value is the text that the file has, as Postfix keeps it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlsmgr.errors import ConfigurationError

#: What C's isspace() takes for white space. Python's own idea of it includes Unicode's.
WHITESPACE = " \t\n\v\f\r"

_SHOWN_LENGTH = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value comes from: a file and a line of it, or a word such as ``default``."""

    origin: str
    line: int | None = None

    def __str__(self) -> str:
        return self.origin if self.line is None else f"{self.origin}:{self.line}"


DEFAULT = Place(origin="default")
COMMAND_LINE = Place(origin="-o")
PROCESS = Place(origin="process")  #: computed by the process itself; no file can set it


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One ``name = value``; the value is unexpanded, and free of white space at both ends."""

    name: str
    value: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFile:
    """The definitions of one file in its order, and what its author should be told."""

    definitions: tuple[Definition, ...] = ()
    warnings: tuple[str, ...] = ()


def shown(text: str) -> str:
    """Return ``text`` quoted for a message: short, printable, and on one line."""
    return repr(text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 3] + "...")


def read_file(path: Path) -> ParsedFile:
    """Read the definitions of a file.

    Bytes that are not UTF-8 are kept as lone surrogates (``surrogateescape``), so that a
    file name in another encoding still reaches the operating system as it was written.

    Raises:
        ConfigurationError: the file cannot be read, or is malformed.
        FileNotFoundError: there is no such file; the caller knows whether that matters.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_text(content.decode("utf-8", "surrogateescape"), str(path))


def parse_text(text: str, file: str) -> ParsedFile:
    """Parse the text of a file called ``file``.

    Raises:
        ConfigurationError: a logical line is no ``name = value``, or holds a null byte.
    """
    definitions: list[Definition] = []
    warnings: list[str] = []
    for number, line in _logical_lines(text):
        place = Place(origin=file, line=number)
        if line[0] in WHITESPACE:
            # Postfix says so and goes on: a comment sign put before the first line of a
            # definition, but not before its continuation, is a common slip.
            warnings.append(f"{place}: ignored, since it continues no definition: {shown(line)}")
        else:
            name, value = _split(line, place)
            definitions.append(Definition(name=name, value=value, place=place))
    return ParsedFile(definitions=tuple(definitions), warnings=tuple(warnings))


def parse_override(text: str) -> tuple[str, str]:
    """Split the argument of ``-o``: ``name=value``, or ``{ name = value }`` as in master.cf.

    Raises:
        ConfigurationError: it is neither.
    """
    inner = text.strip(WHITESPACE)
    if inner.startswith("{"):
        if not inner.endswith("}"):
            raise ConfigurationError(f"-o {shown(text)}: expected '}}' at the end")
        inner = inner[1:-1]
    return _split(inner.strip(WHITESPACE), COMMAND_LINE)


def overriding(overrides: Sequence[tuple[str, str]]) -> tuple[Definition, ...]:
    """Return the definitions of ``-o`` options, given as (name, value).

    Raises:
        ConfigurationError: a name is empty or has white space in it, or there is a null byte.
    """
    pairs = [_split(f"{name}={value}", COMMAND_LINE) for name, value in overrides]
    return tuple(Definition(name=name, value=value, place=COMMAND_LINE) for name, value in pairs)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each logical line, its physical lines joined, with the number of the first."""
    first, parts = 0, list[str]()
    for number, line in enumerate(text.split("\n"), 1):
        content = line.lstrip(WHITESPACE)
        if parts and line and line[0] not in WHITESPACE and line[0] != "#":
            yield first, "".join(parts)
            parts = []
        if content and content[0] != "#":
            first = first if parts else number
            parts.append(line)
    if parts:
        yield first, "".join(parts)


def _split(line: str, place: Place) -> tuple[str, str]:
    if "\0" in line:
        # Postfix would silently use what stands before it.
        raise ConfigurationError(f"{place}: a null byte in {shown(line)}: expected text")
    name, equals, value = line.partition("=")
    name = name.strip(WHITESPACE)
    if not name:
        raise ConfigurationError(f"{place}: expected a parameter name: {shown(line)}")
    if not equals or any(character in WHITESPACE for character in name):
        raise ConfigurationError(f"{place}: expected '=' after the parameter name: {shown(line)}")
    return name, value.strip(WHITESPACE)
