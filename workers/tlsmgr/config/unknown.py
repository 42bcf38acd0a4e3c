"""Names that nobody knows: most likely misspelled, so the administrator is told."""

import difflib
from collections.abc import Iterator

from tlsmgr.config.configuration import Configuration
from tlsmgr.config.expansion import references
from tlsmgr.config.maincf import Definition, shown
from tlsmgr.config.parameters import PARAMETERS

_OWN_PREFIX = "tlsmgr_"
#: Comparing longer names takes time and suggests nothing.
_NAME_LENGTH_MAX = 64


def nearest_name(name: str) -> str | None:
    """Return the known parameter name that is most like ``name``, if one is alike."""
    matches = difflib.get_close_matches(name[:_NAME_LENGTH_MAX], PARAMETERS, n=1)
    return matches[0] if matches else None


def unknown_name_warnings(configuration: Configuration) -> Iterator[str]:
    """Yield a warning for each unknown name that should be one of ours.

    That is one that begins with ``tlsmgr_``, and one that tlsmgr.cf defines while no value
    refers to it. Other names in main.cf are Postfix's business.
    """
    definitions = configuration.definitions
    used = {name for definition in definitions.values() for name in references(definition.value)}
    for name, definition in definitions.items():
        if name in PARAMETERS or name in used:
            continue
        if name.startswith(_OWN_PREFIX) or name in configuration.own_names:
            yield _warning(definition)


def _warning(definition: Definition) -> str:
    nearest = nearest_name(definition.name)
    suggestion = f"; did you mean {nearest}?" if nearest else ""
    return f"{definition.place}: unknown parameter {shown(definition.name)}{suggestion}"
