"""Parameters, one by one: expanded, converted, and with errors that name their place."""

from collections.abc import Iterator

from tlsmgr.config.configuration import Configuration
from tlsmgr.config.expansion import Expander
from tlsmgr.config.maincf import shown
from tlsmgr.config.parameters import PARAMETERS
from tlsmgr.config.schema import Kind
from tlsmgr.config.values import BadValueError, TlsLogLevel, Value, convert
from tlsmgr.errors import ConfigurationError


class ValueReader:
    """Reads the values of a configuration, and keeps what there is to warn about."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._expander = Expander(configuration.text)
        self._warnings: list[str] = []

    def value(self, name: str) -> Value:
        """Return the value of a known parameter.

        Raises:
            ConfigurationError: it cannot be expanded, is malformed, or is out of range.
        """
        text = self._configuration.expand(name, self._expander)
        try:
            return convert(PARAMETERS[name], text)
        except BadValueError as error:
            if PARAMETERS[name].kind is not Kind.LOGLEVEL:
                raise self.error(name, str(error)) from error
            # Postfix serves on without logging, so a slip here must not stop us either.
            self._warnings.append(f"{self._described(name)}: {error}; nothing is logged")
            return TlsLogLevel()

    def error(self, name: str, expected: str) -> ConfigurationError:
        """Return the error for a parameter whose value is not what was expected."""
        return ConfigurationError(f"{self._described(name)}: {expected}")

    def warnings(self) -> Iterator[str]:
        """Yield the warnings about the values that were read so far."""
        yield from self._warnings
        for name, user in self._expander.undefined.items():
            place = self._configuration.place(user)
            yield f"{place}: {user} refers to {shown(name)}, which is not defined: taken as empty"

    def _described(self, name: str) -> str:
        text = self._configuration.expand(name, self._expander)
        written = self._configuration.text(name) or ""
        meaning = "" if text == written else f" (that is, {shown(text)})"
        return f"{self._configuration.place(name)}: {name} = {shown(written)}{meaning}"
