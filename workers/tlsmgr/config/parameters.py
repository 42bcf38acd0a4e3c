"""The table of parameters: names, defaults, kinds and ranges, all of them data.

Names, defaults, units and ranges are Postfix's (postconf(5), and tlsmgr(8)'s own limits);
the parameters that Postfix does not know begin with ``tlsmgr_``. A new one is a row here and
an attribute of ``Settings``; a test holds the two against each other.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType

from tlsmgr.config.schema import INT_MAX, Kind, Parameter, Section
from tlsmgr.messages import CacheType

LONG_MAX = 2**63 - 1
SESSION_TIMEOUT_MAX = 8640000  #: seconds; RFC 5246 advises a day, Postfix draws the line at 100


def _time(name: str, default: str, text: str, section: Section, limits: tuple[int, int]) -> Parameter:
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
        _time(
            timeout_name(cache_type),
            "3600s",
            f"How long a TLS session of the {role} may be used again; 0 to keep none.",
            Section.CACHE,
            (0, SESSION_TIMEOUT_MAX),
        ),
    )


_prng, _service = (partial(Parameter, section=each) for each in (Section.PRNG, Section.SERVICE))

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
    _time(
        "tls_random_prng_update_period",
        "3600s",
        "The longest time between two updates of tls_random_exchange_name.",
        Section.PRNG,
        (1, INT_MAX),
    ),
    _time(
        "tls_random_reseed_period",
        "3600s",
        "The longest time between two readings of tls_random_source.",
        Section.PRNG,
        (1, INT_MAX),
    ),
)

_SERVICE = (
    _service(
        name="tlsmgr_service_name",
        default="tlsmgr",
        kind=Kind.STRING,
        help="The name of the socket in queue_directory/private that Postfix asks.",
        minimum=1,
    ),
    _service(
        name="tlsmgr_run_directory",
        default="${data_directory}/run",
        kind=Kind.PATH,
        help="The directory with the MessagePack-RPC sockets and the pid files.",
        minimum=1,
    ),
    _service(
        name="tlsmgr_session_cache_entry_limit",
        default="1000000",
        kind=Kind.INTEGER,
        help="The largest number of sessions in each cache; 0 for no limit.",
        maximum=LONG_MAX,
    ),
    _service(
        name="tlsmgr_session_cache_size_limit",
        default="1073741824",
        kind=Kind.INTEGER,
        help="The largest size of each cache in bytes; 0 for no limit.",
        maximum=LONG_MAX,
    ),
    _service(
        name="tlsmgr_client_connection_limit",
        default="4000",
        kind=Kind.INTEGER,
        help="The largest number of connections on each socket; beyond, idle ones are closed for new ones.",
        minimum=1,
        maximum=1000000,
    ),
    _service(
        name="tlsmgr_memory_cache_size",
        default="67108864",
        kind=Kind.INTEGER,
        help="The bytes of memory for the sessions that were used last, of all caches; 0 for none.",
        maximum=LONG_MAX,
    ),
    _service(
        name="tlsmgr_metrics_address",
        default="",
        kind=Kind.ADDRESS,
        help="Where Prometheus finds the figures over HTTP, as address:port or :port; empty for nowhere.",
    ),
    _service(
        name="tlsmgr_request_size_limit",
        default="65536",
        kind=Kind.INTEGER,
        help="The largest size of one request in bytes; a session is up to a few kilobytes.",
        minimum=1024,
    ),
    _service(
        name="tlsmgr_protocol_announcement",
        default="yes",
        kind=Kind.BOOLEAN,
        help="Announce the protocol to a client first, as Postfix 3.6 and later expect.",
    ),
    _service(
        name="tlsmgr_sealing_key_file",
        default="",
        kind=Kind.PATH,
        help="A file with the key that seals sessions on disk; empty for one that ends with a reboot.",
    ),
    _service(
        name="tlsmgr_ticket_key_source",
        default="local",
        kind=Kind.KEY_SOURCE,
        help="Where ticket keys come from: local, or, for hosts that share them, ratchet:file or redis:URL.",
    ),
    _service(
        name="tlsmgr_redis_credentials_file",
        default="",
        kind=Kind.PATH,
        help="A file with user:password, or a password, for shared stores; empty where they want none.",
    ),
    _service(
        name="tlsmgr_farm_secret_file",
        default="",
        kind=Kind.PATH,
        help="A file with the secret that the hosts of a farm share; empty for none.",
    ),
    _time(
        "tlsmgr_clock_skew",
        "30s",
        "The longest time that the clocks of hosts which share ticket keys may differ by.",
        Section.SERVICE,
        (0, INT_MAX),
    ),
    _time(
        "tlsmgr_ticket_key_lease",
        "0s",
        "The longest time that a ticket key is given out to encrypt with; 0 for half of the timeout.",
        Section.SERVICE,
        (0, INT_MAX),
    ),
    _service(
        name="tlsmgr_authorized_users",
        default="root, $mail_owner",
        kind=Kind.USERS,
        help="The users who may use the MessagePack-RPC sockets.",
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
    _time(
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
        *_SERVICE,
        *_MISCELLANEOUS,
    )
)
