"""The table of parameters: names, defaults, kinds and ranges, all of them data.

Names, defaults, units and ranges are Postfix's (postconf(5), and tlsmgr(8)'s own limits);
the parameters that Postfix does not know are in ``service_parameters``. A new one is a row here and
an attribute of ``Settings``; a test holds the two against each other.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType

from tlsmgr.config.schema import INT_MAX, Kind, Parameter, Section, time_parameter
from tlsmgr.config.service_parameters import SERVICE_PARAMETERS
from tlsmgr.messages import CacheType

SESSION_TIMEOUT_MAX = 8640000  #: seconds; RFC 5246 advises a day, Postfix draws the line at 100


def loglevel_name(cache_type: CacheType) -> str:
    """Return the name of the parameter with this cache's log level."""
    return f"{cache_type.value}_tls_loglevel"


def database_name(cache_type: CacheType) -> str:
    """Return the name of the parameter with this cache's database."""
    return f"{cache_type.value}_tls_session_cache_database"


def timeout_name(cache_type: CacheType) -> str:
    """Return the name of the parameter with this cache's timeout."""
    return f"{cache_type.value}_tls_session_cache_timeout"


_ROLES = {
    CacheType.LMTP: "Postfix LMTP client",
    CacheType.SMTP: "Postfix SMTP client",
    CacheType.SMTPD: "Postfix SMTP server",
}


def _cache_parameters(cache_type: CacheType) -> tuple[Parameter, ...]:
    role = _ROLES[cache_type]
    return (
        Parameter(
            name=loglevel_name(cache_type),
            default="0",
            kind=Kind.LOGLEVEL,
            help=f"How much to log of the {role}'s TLS sessions; from 2 on, each use of its cache.",
            section=Section.CACHE,
        ),
        Parameter(
            name=database_name(cache_type),
            default="",
            kind=Kind.STRING,
            help=f"The database with the {role}'s TLS sessions, as type:path or redis:URL; empty for none.",
            section=Section.CACHE,
        ),
        time_parameter(
            timeout_name(cache_type),
            "3600s",
            f"How long a TLS session of the {role} may be used again; 0 to keep none.",
            Section.CACHE,
            (0, SESSION_TIMEOUT_MAX),
        ),
    )


_prng = partial(Parameter, section=Section.PRNG)

_PRNG = (
    _prng(
        name="tls_random_source",
        default="dev:/dev/urandom",
        kind=Kind.STRING,
        help="The external entropy source: dev:path, egd:socket, or the path of a file.",
    ),
    _prng(
        name="tls_random_bytes",
        default="32",
        kind=Kind.INTEGER,
        help="The number of bytes to read from tls_random_source each time.",
        minimum=1,
    ),
    _prng(
        name="tls_random_exchange_name",
        default="${data_directory}/prng_exch",
        kind=Kind.PATH,
        help="The file that keeps the state of the generator between runs; empty for none.",
    ),
    time_parameter(
        "tls_random_prng_update_period",
        "3600s",
        "The longest time between two updates of tls_random_exchange_name.",
        Section.PRNG,
        (1, INT_MAX),
    ),
    time_parameter(
        "tls_random_reseed_period",
        "3600s",
        "The longest time between two readings of tls_random_source.",
        Section.PRNG,
        (1, INT_MAX),
    ),
)

_FACILITIES = (
    *("auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news"),
    *("security", "syslog", "user", "uucp"),
    *(f"local{number}" for number in range(8)),
)


def _miscellaneous(
    name: str,
    default: str,
    text: str,
    *,
    kind: Kind = Kind.STRING,
    minimum: int = 0,
    choices: tuple[str, ...] = (),
    read_only: bool = False,
) -> Parameter:
    return Parameter(
        name=name,
        default=default,
        kind=kind,
        help=text,
        section=Section.MISCELLANEOUS,
        minimum=minimum,
        choices=choices,
        read_only=read_only,
    )


_MISCELLANEOUS = (
    _miscellaneous("compatibility_level", "0", "The Postfix level that main.cf was written for."),
    _miscellaneous(
        "config_directory",
        "/etc/postfix",
        "The directory with main.cf and tlsmgr.cf.",
        kind=Kind.PATH,
        minimum=1,
    ),
    time_parameter(
        "daemon_timeout",
        "18000s",
        "How long a process may make no progress before its watchdog ends it.",
        Section.MISCELLANEOUS,
        (1, INT_MAX),
    ),
    _miscellaneous(
        "data_directory",
        "/var/lib/postfix",
        "The directory with the files that belong to mail_owner.",
        kind=Kind.PATH,
        minimum=1,
    ),
    _miscellaneous("default_database_type", "hash", "The type of a database without one.", minimum=1),
    _miscellaneous("mail_owner", "postfix", "The user that the processes run as.", minimum=1),
    _miscellaneous("multi_instance_name", "", "The name of this Postfix instance, when there are several."),
    _miscellaneous("process_id", "", "The process ID of this process.", read_only=True),
    _miscellaneous("process_name", "", "The name of this process.", read_only=True),
    _miscellaneous(
        "queue_directory",
        "/var/spool/postfix",
        "The directory with private/, where the socket for Postfix is.",
        kind=Kind.PATH,
        minimum=1,
    ),
    _miscellaneous("service_name", "", "The service name of this process.", read_only=True),
    _miscellaneous(
        "syslog_facility",
        "mail",
        "The syslog facility to log to.",
        minimum=1,
        choices=_FACILITIES,
    ),
    _miscellaneous(
        "syslog_name",
        "${multi_instance_name?{$multi_instance_name}:{postfix}}",
        "What stands before the process name in the log.",
        minimum=1,
    ),
)


def _table(parameters: Iterable[Parameter]) -> Mapping[str, Parameter]:
    return MappingProxyType(
        {parameter.name: parameter for parameter in sorted(parameters, key=lambda row: row.name)}
    )


#: Every parameter by its name, in alphabetical order.
PARAMETERS: Mapping[str, Parameter] = _table(
    (
        *(row for cache_type in CacheType for row in _cache_parameters(cache_type)),
        *_PRNG,
        *SERVICE_PARAMETERS,
        *_MISCELLANEOUS,
    )
)
