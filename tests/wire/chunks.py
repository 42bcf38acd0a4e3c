"""Ways to cut a byte stream, and what a reader makes of the pieces."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from hypothesis import strategies as st

S = TypeVar("S")
T = TypeVar("T")


class Feedable(Protocol):
    """A sans-IO reader."""

    def feed(self, data: bytes) -> None:
        """Take bytes."""


def read_all(reader: Feedable, take: Callable[[], T | None], chunks: Iterable[bytes]) -> list[T]:
    """Return all that the reader gives, taken after each chunk as a connection would."""
    return list(_taken(reader, take, chunks))


def _taken(reader: Feedable, take: Callable[[], T | None], chunks: Iterable[bytes]) -> Iterator[T]:
    for chunk in chunks:
        reader.feed(chunk)
        while (value := take()) is not None:
            yield value


def read_at_once(
    take_whole: Callable[[bytes], S | None], take: Callable[[], T | None], chunks: Iterable[bytes]
) -> list[S | T]:
    """Return the same as ``read_all``, by the way that a connection tries first."""
    values: list[S | T] = []
    for chunk in chunks:
        whole = take_whole(chunk)
        if whole is not None:
            values.append(whole)
        else:
            values.extend(iter(take, None))
    return values


def single_bytes(data: bytes) -> list[bytes]:
    """Return ``data`` byte by byte."""
    return [data[position : position + 1] for position in range(len(data))]


def cut(data: bytes, positions: Iterable[int]) -> list[bytes]:
    """Return ``data`` cut at these positions, which may be anywhere and in any order."""
    inside = sorted({position % (len(data) + 1) for position in positions})
    return [data[a:b] for a, b in zip([0, *inside], [*inside, len(data)], strict=True)]


#: Where to cut, for ``cut``.
positions = st.lists(st.integers(min_value=0, max_value=1 << 16), max_size=12)
