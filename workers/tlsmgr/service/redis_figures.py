"""What is counted of ticket keys that hosts give each other through a store."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class RedisFigures:
    """What was counted since the start."""

    made: int = 0  #: keys that this host made
    adopted: int = 0  #: keys that other hosts made
    failures: int = 0  #: times that the store could not be asked
    tampered: int = 0  #: keys in the store that no host of the farm had put there
