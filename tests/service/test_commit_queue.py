import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
import uvloop

from tests.service.stores import TroubledStore, locked
from tlsmgr.errors import Status, StoreError
from tlsmgr.messages import StatusReply
from tlsmgr.service import commit_budget
from tlsmgr.service.commit_queue import CommitQueue
from tlsmgr.storage.sessions import Change, Put, Remove

OK, NOT_DONE = StatusReply(status=Status.OK), StatusReply(status=Status.NOT_DONE)
REMOVE = Remove(cache_id=b"id")


def _do_nothing() -> None:
    """Stand for what is done after the replies."""


def _put(session: bytes = b"session", cache_id: bytes = b"id") -> Put:
    return Put(cache_id=cache_id, session=session, stored_at=0.0, expires_at=1000.0)


def _applying(store: TroubledStore) -> Callable[[Sequence[Change]], Sequence[bool]]:
    return lambda changes: store.apply(changes).done


def _with_queue(directory: Path, work: Callable[[CommitQueue, TroubledStore], Awaitable[None]]) -> None:
    async def run() -> None:
        with TroubledStore(directory / "store") as store:
            await work(CommitQueue(_applying(store), lambda _: None, _do_nothing), store)

    uvloop.run(run())


def test_changes_of_one_turn_share_a_transaction(tmp_path: Path) -> None:
    """What came together is committed together, and what comes later is not held back for it."""

    async def work(queue: CommitQueue, store: TroubledStore) -> None:
        replies = [queue.submit(_put(cache_id=bytes([each]))) for each in range(20)]
        assert not any(reply.done() for reply in replies)
        assert await asyncio.gather(*replies) == [OK] * 20
        assert await queue.submit(_put()) == OK
        assert store.transactions == [20, 1]

    _with_queue(tmp_path, work)


def test_changes_that_come_turn_by_turn_are_gathered(tmp_path: Path) -> None:
    """As long as there are more and more, and for some turns at most; one that is alone does not wait."""

    async def work(queue: CommitQueue, store: TroubledStore) -> None:
        replies = []
        for turn in range(40):
            replies += [queue.submit(_put(cache_id=bytes([turn, each]))) for each in range(2)]
            await asyncio.sleep(0)
        assert await asyncio.gather(*replies) == [OK] * 80
        assert len(store.transactions) <= 10
        assert sum(store.transactions) == 80
        alone = queue.submit(_put())
        await asyncio.sleep(0)
        assert store.transactions[-1] == 1
        assert await alone == OK

    _with_queue(tmp_path, work)


def test_a_crowd_is_committed_in_several_transactions(tmp_path: Path) -> None:
    """The loop gets its turn between them, and nobody is forgotten."""

    async def work(queue: CommitQueue, store: TroubledStore) -> None:
        replies = [queue.submit(_put(cache_id=each.to_bytes(2, "big"))) for each in range(500)]
        assert await asyncio.gather(*replies) == [OK] * 500
        assert len(store.transactions) > 1
        assert store.count() == 500

    _with_queue(tmp_path, work)


def test_a_slow_store_is_given_fewer_changes_at_a_time(tmp_path: Path) -> None:
    """The loop is to have its turn as soon as with a fast one; not so few that nothing is gained."""

    async def work(queue: CommitQueue, store: TroubledStore) -> None:
        store.after_commit = partial(time.sleep, 0.003)
        replies = [queue.submit(_put(cache_id=each.to_bytes(2, "big"))) for each in range(250)]
        assert await asyncio.gather(*replies) == [OK] * 250
        largest, *others = store.transactions
        assert largest > 40
        assert others[5:] == [4] * len(others[5:-1]) + others[-1:]

    _with_queue(tmp_path, work)


def test_large_sessions_are_committed_a_few_at_a_time(tmp_path: Path) -> None:
    """They cost by the byte, and the loop is to have its turn soon; a single one may be of any size."""

    async def work(queue: CommitQueue, store: TroubledStore) -> None:
        replies = [queue.submit(_put(bytes(16_000), bytes([each]))) for each in range(20)]
        assert await asyncio.gather(*replies) == [OK] * 20
        assert store.transactions[0] == max(store.transactions) == 11
        assert await queue.submit(_put(bytes(300_000), b"large")) == OK

    _with_queue(tmp_path, work)


def test_what_waits_for_a_lock_is_bounded_in_bytes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Beyond that, who comes is told at once that nothing was saved; later there is room again."""

    async def work(queue: CommitQueue, store: TroubledStore) -> None:
        session = bytes(100_000)
        with locked(tmp_path / "store"):
            replies = [queue.submit(_put(session)) for _ in range(100)]
            refused = [reply.result() for reply in replies if reply.done()]
            assert refused == [NOT_DONE] * len(refused)
            assert 80 <= 100 - len(refused) <= 84
            for _ in range(3):
                await asyncio.sleep(0)  # the store is found locked, and the group put back
        answers = await asyncio.gather(*replies)
        assert answers.count(OK) == 100 - len(refused)
        assert await queue.submit(_put(session)) == OK
        assert store.count() == 1

    _with_queue(tmp_path, work)
    assert len(caplog.records) == 1


def test_what_was_acknowledged_is_in_the_store(tmp_path: Path) -> None:
    """Another connection finds it as soon as the reply is there."""

    async def work(queue: CommitQueue, _store: TroubledStore) -> None:
        assert await queue.submit(_put()) == OK
        with TroubledStore(tmp_path / "store") as other:
            assert other.lookup(b"id", 1.0, 3600) == b"session"

    _with_queue(tmp_path, work)


def test_changes_keep_their_order(tmp_path: Path) -> None:
    """The last of several changes to one id is the one that holds."""

    async def work(queue: CommitQueue, store: TroubledStore) -> None:
        changes: list[Change] = [REMOVE, _put(b"1"), REMOVE, REMOVE, _put(b"2"), _put(b"3")]
        replies = await asyncio.gather(*(queue.submit(change) for change in changes))
        assert replies == [NOT_DONE, OK, OK, NOT_DONE, OK, OK]
        assert store.lookup(b"id", 1.0, 3600) == b"3"

    _with_queue(tmp_path, work)


def test_a_busy_store_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A short lock costs time only, and the order is kept through it."""

    async def work(queue: CommitQueue, store: TroubledStore) -> None:
        with locked(tmp_path / "store"):
            first = [queue.submit(_put(b"1")), queue.submit(REMOVE)]
            for _ in range(3):
                await asyncio.sleep(0)
            last = queue.submit(_put(b"2"))
            assert not any(reply.done() for reply in first)
        assert await asyncio.gather(*first, last) == [OK, OK, OK]
        assert store.lookup(b"id", 1.0, 3600) == b"2"

    _with_queue(tmp_path, work)
    assert not caplog.records


def test_a_store_that_stays_busy_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After a second everybody is told that nothing was saved, and then nothing is."""

    async def work(queue: CommitQueue, store: TroubledStore) -> None:
        with locked(tmp_path / "store"):
            async with asyncio.timeout(2.0):
                replies = await asyncio.gather(*(queue.submit(_put()) for _ in range(200)))
        assert replies == [NOT_DONE] * 200
        await queue.drain()
        assert store.count() == 0

    _with_queue(tmp_path, work)
    assert len(caplog.records) == 1


def test_who_waits_behind_many_others_is_told_as_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few a transaction has room for: whoever's time is over is answered."""
    monkeypatch.setattr(commit_budget, "_MOST", 1 << 13)

    async def work(queue: CommitQueue, _store: TroubledStore) -> None:
        with locked(tmp_path / "store"):
            async with asyncio.timeout(2.5):
                replies = await asyncio.gather(*(queue.submit(_put(b"")) for _ in range(8000)))
        assert replies == [NOT_DONE] * 8000

    _with_queue(tmp_path, work)


def test_a_failing_store_is_answered_for(tmp_path: Path) -> None:
    """NOT_DONE at once, and its owner is told why."""

    async def run() -> None:
        failures: list[str] = []
        with TroubledStore(tmp_path / "store") as store:
            queue = CommitQueue(_applying(store), lambda error: failures.append(str(error)), _do_nothing)
            store.trouble = StoreError("the disk is full")
            for _ in range(2):
                replies = await asyncio.gather(*(queue.submit(each) for each in (_put(), REMOVE)))
                assert replies == [NOT_DONE] * 2
            store.trouble = None
            assert await queue.submit(_put()) == OK
        assert failures == ["the disk is full"] * 2

    uvloop.run(run())


def test_a_defect_answers_everybody(tmp_path: Path) -> None:
    """An error that nobody foresaw reaches the loop's handler, and leaves no client waiting."""

    async def work(queue: CommitQueue, store: TroubledStore) -> None:
        seen: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context["exception"]))
        store.trouble = ValueError("defect")
        replies = [queue.submit(_put()) for _ in range(200)]
        async with asyncio.timeout(1.0):
            assert await asyncio.gather(*replies) == [NOT_DONE] * 200
            await queue.drain()
        assert set(seen) == {store.trouble}
        store.trouble = None
        assert await queue.submit(_put()) == OK

    _with_queue(tmp_path, work)


def test_drain_waits_for_everything(tmp_path: Path) -> None:
    """Afterwards each change that was submitted has its answer."""

    async def work(queue: CommitQueue, _store: TroubledStore) -> None:
        await queue.drain()
        replies = [queue.submit(_put()) for _ in range(300)]
        await queue.drain()
        assert [reply.result() for reply in replies] == [OK] * 300

    _with_queue(tmp_path, work)


def test_a_client_that_went_away_spoils_nothing(tmp_path: Path) -> None:
    """A reply that was cancelled is skipped; its neighbours get theirs."""

    async def work(queue: CommitQueue, _store: TroubledStore) -> None:
        gone, stays = queue.submit(_put()), queue.submit(_put())
        gone.cancel()
        assert await stays == OK

    _with_queue(tmp_path, work)
