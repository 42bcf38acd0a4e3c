"""What ``tlsmgr config`` prints: the parameters, as postconf(1) prints them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tlsmgr.config.configuration import Configuration
from tlsmgr.config.expansion import Expander
from tlsmgr.config.parameters import PARAMETERS

_SEPARATORS = re.compile(r"[ \t\r\n]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Lines for the standard output, warnings for the standard error.

    A warning is no failure: postconf's exit code is 0 with them too.
    """

    lines: tuple[str, ...]
    warnings: tuple[str, ...]


def report(
    configuration: Configuration,
    names: Sequence[str] = (),
    *,
    defaults: bool = False,
    explicit_only: bool = False,
    expanded: bool = False,
    hide_names: bool = False,
) -> Report:
    """Report the parameters called ``names`` in that order, or all of them by name.

    ``defaults`` is postconf's ``-d``, ``explicit_only`` its ``-n``, ``expanded`` its ``-x``
    and ``hide_names`` its ``-h``. Without names, the names are reported that are parameters,
    or that main.cf defines and a parameter refers to.

    Raises:
        ConfigurationError: a value cannot be expanded.
    """
    known = PARAMETERS.keys() | (frozenset() if defaults else configuration.user_defined())
    render = _renderer(configuration, defaults=defaults, expanded=expanded)
    lines = [
        _line(name, render(name), hide_names=hide_names)
        for name in (names or sorted(known))
        if name in known and (name in configuration.definitions or not explicit_only or defaults)
    ]
    warnings = [f"{name}: unknown parameter" for name in names if name not in known]
    return Report(lines=tuple(lines), warnings=tuple(warnings))


def _renderer(configuration: Configuration, *, defaults: bool, expanded: bool) -> Callable[[str], str]:
    lookup = configuration.default if defaults else configuration.text
    if not expanded:
        return lambda name: lookup(name) or ""
    expander = Expander(lookup)
    return lambda name: configuration.expand(name, expander)


def _line(name: str, value: str, *, hide_names: bool) -> str:
    """Return a line with its white space normalised, as postconf does."""
    text = value if hide_names else f"{name} = {value}"
    return " ".join(word for word in _SEPARATORS.split(text) if word)
