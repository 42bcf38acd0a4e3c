"""What there is to say about a parameter: the columns of the table in ``parameters``."""

from dataclasses import dataclass
from enum import Enum

INT_MAX = 2**31 - 1  #: the largest number and the longest time that Postfix takes


class Kind(Enum):
    """How the text of a value is read."""

    STRING = "string"
    PATH = "path"  #: a relative one starts at queue_directory, where Postfix daemons run
    TIME = "time"  #: a number with a unit of s, m, h, d or w; in seconds
    INTEGER = "integer"
    BOOLEAN = "boolean"  #: yes or no
    LOGLEVEL = "loglevel"  #: 0 to 4, or the names of what to log
    USERS = "users"  #: names, separated by commas and white space
    KEY_SOURCE = "key source"  #: where ticket keys come from, as kind:location
    ADDRESS = "address"  #: host:port or [host]:port; without a host, the loopback one


class Section(Enum):
    """The part of a manual page that a parameter belongs to, by its title there."""

    CACHE = "TLS SESSION CACHE"
    PRNG = "PSEUDO RANDOM NUMBER GENERATOR"
    SERVICE = "TLSMGR SERVICE"
    MISCELLANEOUS = "MISCELLANEOUS CONTROLS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One row of the table.

    ``default`` is the text that a file would have, references included. ``minimum`` and
    ``maximum`` bound a number or a time in seconds; for a text, ``minimum`` is its least
    length. ``unit`` is the time unit of a value that has none. A ``read_only`` parameter is
    computed by the process, whatever a file says.
    """

    name: str
    default: str
    kind: Kind
    help: str
    section: Section
    minimum: int = 0
    maximum: int = INT_MAX
    unit: str | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False


def time_parameter(
    name: str, default: str, text: str, section: Section, limits: tuple[int, int]
) -> Parameter:
    """Return a row for a time of a length within ``limits``, in seconds, as is a value without a unit."""
    return Parameter(
        name=name,
        default=default,
        kind=Kind.TIME,
        help=text,
        section=section,
        minimum=limits[0],
        maximum=limits[1],
        unit="s",
    )
