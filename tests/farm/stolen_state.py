"""What a thief makes of a host's files and memory, who knows the program and tries everything."""

from collections.abc import Iterable

from tlsmgr.farm.ratchet import CHAIN_KEY_SIZE, Ratchet
from tlsmgr.tickets import TicketKey

_EPOCH_SECONDS = 60
_FORWARD = 30


def cipher_keys_within(loot: Iterable[object], *, epochs: range) -> set[bytes]:
    """Return the cipher keys of all ticket keys in objects, and of all that follow from any 32 bytes there.

    Args:
        loot: objects, with all that can be reached from them; texts with keys in hexadecimal.
        epochs: those in which each 32 bytes are tried as a chain key.
    """
    seen: dict[int, object] = {}
    for each in loot:
        _gather(each, seen)
    found = {value for value in seen.values() if isinstance(value, bytes)}
    for text in (value for value in seen.values() if isinstance(value, str)):
        found |= {bytes.fromhex(word) for word in text.split() if _is_hexadecimal(word)}
    keys = {value.cipher_key for value in seen.values() if isinstance(value, TicketKey)}
    for candidate in (each for each in found if len(each) == CHAIN_KEY_SIZE):
        for epoch in epochs:
            start = Ratchet(epoch_seconds=_EPOCH_SECONDS, epoch=epoch, chain_key=candidate)
            keys |= {each.key_material()[16:48] for each in start.following(_FORWARD)}
    return keys


def _is_hexadecimal(word: str) -> bool:
    return len(word) == 2 * CHAIN_KEY_SIZE and not set(word) - set("0123456789abcdef")


def _gather(value: object, seen: dict[int, object]) -> None:
    if id(value) in seen or isinstance(value, type):
        return
    seen[id(value)] = value
    if isinstance(value, dict):
        inner: list[object] = [*value.keys(), *value.values()]
    elif isinstance(value, tuple | list | set | frozenset):
        inner = list(value)
    else:
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        names = [*getattr(value, "__dict__", ()), *slots]
        inner = [getattr(value, name) for name in names if hasattr(value, name)]
    for each in inner:
        _gather(each, seen)
