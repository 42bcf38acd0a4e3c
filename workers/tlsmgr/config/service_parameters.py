"""The rows of the table for what Postfix does not know: names that begin with ``tlsmgr_``."""

from functools import partial
from typing import Final

from tlsmgr.config.schema import INT_MAX, Kind, Parameter, Section, time_parameter

_LONG_MAX: Final = 2**63 - 1

_service = partial(Parameter, section=Section.SERVICE)

#: Parameters of the service, in no order.
SERVICE_PARAMETERS: Final = (
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
        maximum=_LONG_MAX,
    ),
    _service(
        name="tlsmgr_session_cache_size_limit",
        default="1073741824",
        kind=Kind.INTEGER,
        help="The largest size of each cache in bytes; 0 for no limit.",
        maximum=_LONG_MAX,
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
        maximum=_LONG_MAX,
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
    time_parameter(
        "tlsmgr_clock_skew",
        "30s",
        "The longest time that the clocks of hosts which share ticket keys may differ by.",
        Section.SERVICE,
        (0, INT_MAX),
    ),
    time_parameter(
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
