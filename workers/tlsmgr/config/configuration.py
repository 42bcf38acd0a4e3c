"""What the configuration files and ``-o`` options say, merged, before it becomes ``Settings``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tlsmgr.config.expansion import Expander, ExpansionError, references
from tlsmgr.config.maincf import (
    DEFAULT,
    PROCESS,
    Definition,
    ParsedFile,
    Place,
    overriding,
    read_file,
    shown,
)
from tlsmgr.config.parameters import PARAMETERS
from tlsmgr.errors import ConfigurationError

MAIN_FILE = "main.cf"
OWN_FILE = "tlsmgr.cf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The definitions that count, by name: of the same name, the last one.

    ``process_values`` are the values of the read-only parameters, which no file can set.
    ``own_names`` are the names that tlsmgr.cf defines. ``warnings`` are about the files'
    text; what the values themselves give rise to is found when they are read.
    """

    directory: Path
    definitions: Mapping[str, Definition]
    process_values: Mapping[str, str]
    own_names: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    def default(self, name: str) -> str | None:
        """Return a known parameter's default, unexpanded; None for an unknown name."""
        if name in self.process_values:
            return self.process_values[name]
        return PARAMETERS[name].default if name in PARAMETERS else None

    def text(self, name: str) -> str | None:
        """Return the unexpanded text that a name has, by definition or by default."""
        if name in self.definitions:
            return self.definitions[name].value
        return self.default(name)

    def place(self, name: str) -> Place:
        """Tell where the text of a name comes from."""
        if name in self.definitions:
            return self.definitions[name].place
        return PROCESS if name in self.process_values else DEFAULT

    def user_defined(self) -> frozenset[str]:
        """Return the names that are defined, are no parameters, and that a parameter uses."""
        waiting = [name for name in PARAMETERS if name in self.definitions]
        found: set[str] = set()
        while waiting:
            for name in references(self.definitions[waiting.pop()].value):
                if name in self.definitions and name not in PARAMETERS and name not in found:
                    found.add(name)
                    waiting.append(name)
        return frozenset(found)

    def expand(self, name: str, expander: Expander) -> str:
        """Return the expanded value of a name, empty if it is undefined.

        Raises:
            ConfigurationError: it cannot be expanded; names place, parameter and text.
        """
        try:
            return expander.value(name)
        except ExpansionError as error:
            faulty = error.chain[-1] if error.chain else name
            text = shown(self.text(faulty) or "")
            used = "" if faulty == name else f" (which {name} uses)"
            raise ConfigurationError(
                f"{self.place(faulty)}: {faulty} = {text}{used}: {error.reason}"
            ) from error


def load_configuration(
    directory: Path,
    *,
    overrides: Sequence[tuple[str, str]] = (),
    process_values: Mapping[str, str],
) -> Configuration:
    """Read main.cf, then tlsmgr.cf if it is there, then ``overrides``; the later wins.

    Raises:
        ConfigurationError: main.cf is missing, or a file or an override is malformed.
    """
    main_cf = _main_file(directory / MAIN_FILE)
    own_cf = _own_file(directory / OWN_FILE)
    given = (*main_cf.definitions, *own_cf.definitions, *overriding(overrides))
    definitions = {definition.name: definition for definition in _directory_definition(directory)}
    definitions |= {row.name: row for row in given if not _is_read_only(row.name)}
    return Configuration(
        directory=directory,
        definitions=MappingProxyType(definitions),
        process_values=MappingProxyType(dict(process_values)),
        own_names=frozenset(definition.name for definition in own_cf.definitions),
        warnings=(
            *_file_warnings(main_cf),
            *_file_warnings(own_cf),
            *_no_effect_warnings(given, directory),
        ),
    )


def _main_file(path: Path) -> ParsedFile:
    try:
        return read_file(path)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: not found: expected Postfix's configuration there") from error


def _own_file(path: Path) -> ParsedFile:
    try:
        return read_file(path)
    except FileNotFoundError:
        return ParsedFile()  # it is optional: main.cf can hold everything


def _directory_definition(directory: Path) -> Iterator[Definition]:
    """Define config_directory, as Postfix does before it reads main.cf."""
    if str(directory) != PARAMETERS["config_directory"].default:
        yield Definition(name="config_directory", value=str(directory), place=PROCESS)


def _is_read_only(name: str) -> bool:
    return name in PARAMETERS and PARAMETERS[name].read_only


def _file_warnings(parsed: ParsedFile) -> Iterator[str]:
    yield from parsed.warnings
    earlier: dict[str, Definition] = {}
    for definition in parsed.definitions:
        former = earlier.get(definition.name, definition)
        if former.value != definition.value and definition.name in PARAMETERS:
            yield f"{definition.place}: {definition.name} overrides the value at {former.place}"
        earlier[definition.name] = definition


def _no_effect_warnings(definitions: Sequence[Definition], directory: Path) -> Iterator[str]:
    for definition in definitions:
        if _is_read_only(definition.name):
            yield f"{definition.place}: {definition.name} is ignored: it is read-only"
        elif definition.name == "config_directory" and definition.value != str(directory):
            yield f"{definition.place}: config_directory does not move the files: they are in {directory}"
