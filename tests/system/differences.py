"""Where our server answers otherwise than Debian's on purpose, vector by vector, and why."""

from dataclasses import dataclass

from tests.system.attribute_vectors import SETTINGS
from tests.system.conversation import AttributeList
from tests.system.transcript import Answers, Transcript

_REFUSED: AttributeList = (("status", "4294967294"),)
_NO_SEED: AttributeList = (*_REFUSED, ("seed", ""))
_NO_SESSION: AttributeList = (*_REFUSED, ("session", ""))
_ENABLED = frozenset({"caches-enabled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Our answer to a vector's last step; a name in it stands for the last answer to that vector."""

    reason: str
    last: tuple[AttributeList | str, ...]
    settings: frozenset[str] = frozenset(SETTINGS)


#: Debian's sends what an earlier request, perhaps another client's, left in a buffer: a seed,
#: a session, a ticket key, or a piece of the request. Ours sends the same attributes, empty.
LEFT_OVERS = frozenset(
    {
        *(f"seed size {size!r}" for size in ("", "x", "32x", "32 ", "0x20", "3.2")),
        "a ticket key that is not there",
        *(f"key name {name!r}" for name in (b"?", b"QUJD????", b"MDEyMzQ1Njc4OWFiY2RlZg")),
        *(f"key name {name!r}" for name in (b"MDEyMzQ1Njc4OWFiY2RlZg==\n", b" MDEyMzQ1Njc4OWFiY2RlZg==")),
        "seed without size",
        "lookup without cache_id",
        "lookup without anything",
        "tktkey without keyname",
        "seed after seed without size",
        "extra attribute before size",
        "good request after that",
        "misnamed size",
        "request twice",
    }
)

_UNKNOWN = "Debian's does not answer an unknown request: its client waits for ipc_timeout, an hour"
_PIPELINED = "Debian's drops what it has read behind a request; ours answers every request"
_EMPTY = "Debian's reads up to two bytes as a wakeup, and is silent; to ours they are empty attribute lists"
_WAKEUP = "ours knows a wakeup by its bytes; Debian's by how few are in the socket, so that timing decides"
_HALF = "Debian's answers a half request when its client has gone, with left-over bytes; ours never does"
_LIMIT = "ours bounds a request by tlsmgr_request_size_limit; Debian's takes any size"

DIFFERENCES: dict[str, Difference] = {
    **{
        f"request {verb!r}": Difference(reason=_UNKNOWN, last=(_REFUSED,))
        for verb in ("unknown", "", "SEED", "seed ")
    },
    "unknown request with attributes": Difference(reason=_UNKNOWN, last=(_REFUSED,)),
    "an unknown and a good request at once": Difference(reason=_UNKNOWN, last=(_REFUSED, "policy of smtp")),
    "two requests at once": Difference(reason=_PIPELINED, last=("policy of smtpd", "policy of smtp")),
    "three requests at once": Difference(
        reason=_PIPELINED, last=("policy of smtpd", "policy of smtp", "policy of lmtp")
    ),
    "a malformed and a good request at once": Difference(
        reason=_PIPELINED, last=(_NO_SEED, "policy of smtp")
    ),
    "an attribute list that is empty, and a policy": Difference(
        reason=_PIPELINED, last=(_REFUSED, "policy of smtp")
    ),
    "a null": Difference(reason=_EMPTY, last=(_REFUSED,)),
    "two nulls": Difference(reason=_EMPTY, last=(_REFUSED, _REFUSED)),
    "wakeup and a null": Difference(reason=_WAKEUP, last=()),
    "wakeup and a request": Difference(reason=_WAKEUP, last=()),
    **{
        f"half a request: {half!r}": Difference(reason=_HALF, last=())
        for half in (b"request\0seed\0", b"request\0seed\0size\0", b"request\0seed\0size\x004\0")
    },
    "half a lookup": Difference(reason=_HALF, last=()),
    "half a tktkey": Difference(reason=_HALF, last=()),
    "a cache_id that is not UTF-8": Difference(
        reason="Debian's says that it saved such a session, and does not find it; to ours a key is bytes",
        last=((("status", "0"), ("session", "aQ==")),),
        settings=_ENABLED,
    ),
    "a session of 60 kB": Difference(reason=_LIMIT, last=(_REFUSED,), settings=_ENABLED),
    "a cache_id of 70 kB": Difference(reason=_LIMIT, last=(_NO_SESSION,), settings=_ENABLED),
    "an extra attribute of 70 kB": Difference(reason=_LIMIT, last=(_NO_SEED,)),
}


def expected_of_ours(recorded: Transcript, setting: str, name: str) -> Answers:
    """Return what our server has to answer where Debian's answered as recorded."""
    debian = recorded.exchanges[name].answers
    if name in LEFT_OVERS:
        return tuple(tuple(map(_without_left_overs, step)) for step in debian)
    difference = DIFFERENCES.get(name)
    if difference is None or setting not in difference.settings:
        return debian
    lists: list[AttributeList] = []
    for one in difference.last:
        lists += recorded.exchanges[one].answers[-1] if isinstance(one, str) else (one,)
    return (*debian[:-1], tuple(lists))


def _without_left_overs(pairs: AttributeList) -> AttributeList:
    return tuple((name, "" if value.endswith("left-over bytes>") else value) for name, value in pairs)
