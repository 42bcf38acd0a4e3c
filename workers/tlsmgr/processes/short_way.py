"""The short way of both protocols, for lookups that memory alone can answer: nearly all requests."""

from collections.abc import Callable
from typing import TypeAlias

from tlsmgr.errors import Status
from tlsmgr.figures.requests import MethodKey, RequestFigures
from tlsmgr.messages import CacheType

#: As ``Answers.recall``.
Recall: TypeAlias = Callable[[CacheType, bytes], bytes | None]


def recall_nothing(_: CacheType, __: bytes) -> None:
    """Recall nothing: for a worker without sessions."""


class ShortWay:
    """Finds sessions in memory, and counts and times that as an answer to a lookup.

    Args:
        recall: Finds the session.
        figures: Counts the answers.
        key: By which these tell a lookup from the other methods.
    """

    __slots__ = ("_figures", "_key", "_recall")

    def __init__(self, recall: Recall, figures: RequestFigures, key: MethodKey) -> None:
        self._recall = recall
        self._figures = figures
        self._key = key

    def session(self, cache_type: CacheType, cache_id: bytes) -> bytes | None:
        """Return the session, counted as answered; with None nothing is, and the long way is to follow."""
        figures = self._figures
        if figures.until_timed == 1:
            return self._timed(cache_type, cache_id)
        session = self._recall(cache_type, cache_id)
        if session is not None:
            figures.until_timed -= 1
            figures.rows[self._key][Status.OK] += 1
        return session

    def _timed(self, cache_type: CacheType, cache_id: bytes) -> bytes | None:
        figures = self._figures
        begun = figures.clock()
        session = self._recall(cache_type, cache_id)
        if session is not None:
            figures.begin_timing()
            figures.rows[self._key][Status.OK] += 1
            figures.timed(self._key, begun)
        return session
