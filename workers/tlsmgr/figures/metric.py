"""What a metric is: a row of the catalog."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

CACHE_SERVER: Final = "cache-server"
PRNG_SERVER: Final = "prng-server"
EXPIRY_SWEEPER: Final = "expiry-sweeper"
ANY_WORKER: Final = ""  #: each has it, and a label says which


class Kind(Enum):
    """The types that Prometheus knows, as far as they are used; STATE is a gauge for each state."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    STATE = "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row: ``name`` without what Prometheus adds to a histogram's parts."""

    name: str
    kind: Kind
    help: str
    worker: str
    place: str


def counter(name: str, text: str, worker: str, place: str) -> Metric:
    """Return the row of a counter; ``name`` without what it begins and ends with."""
    return Metric(name=f"tlsmgr_{name}_total", kind=Kind.COUNTER, help=text, worker=worker, place=place)


def gauge(name: str, text: str, worker: str, place: str) -> Metric:
    """Return the row of a gauge; ``name`` without what it begins with."""
    return Metric(name=f"tlsmgr_{name}", kind=Kind.GAUGE, help=text, worker=worker, place=place)


def histogram(name: str, text: str, worker: str, place: str) -> Metric:
    """Return the row of a histogram; ``name`` without what it begins with."""
    return Metric(name=f"tlsmgr_{name}", kind=Kind.HISTOGRAM, help=text, worker=worker, place=place)
