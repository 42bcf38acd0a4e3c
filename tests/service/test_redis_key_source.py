"""Ticket keys that hosts give each other through a real Redis server."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import uvloop

from rehearsal.redis_server import RedisServer
from tests.sealing.test_custody import settings_in
from tests.service.farm_host import FARM_SECRET
from tests.service.stores import sealer as own_sealer
from tlsmgr.config.settings import Settings
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.key_table import FarmKey
from tlsmgr.sealing.shared_sealer import SharedSealer
from tlsmgr.service.farm_keys import LOCAL
from tlsmgr.service.kept_farm_keys import KeptFarmKeys
from tlsmgr.service.redis_key_source import RedisKeySource
from tlsmgr.service.revocation_mark import RevocationMark
from tlsmgr.service.shared_keys import SharedKeys
from tlsmgr.service.shared_link import SharedLink
from tlsmgr.shared_store.address import parse_address
from tlsmgr.shared_store.opening import open_shared_store

_TIMEOUT = 3600
_EPOCH = _TIMEOUT // 2
_SKEW = 30
_LEAD = _EPOCH // 4
_START = 1000 * _EPOCH


def _settings(directory: Path, timeout: int = _TIMEOUT) -> Settings:
    return settings_in(
        directory,
        smtpd_tls_session_cache_timeout=f"{timeout}s",
        tlsmgr_clock_skew=f"{_SKEW}s",
    )


class KeyHost:
    """One host's source, whose clock the tests set; it looks at the store when it is told to."""

    def __init__(self, directory: Path, url: str, *, file: str = "kept-keys") -> None:
        kept = KeptFarmKeys(directory / file, own_sealer())
        kept.open()
        self.now = float(_START)
        sealer = SharedSealer(FARM_SECRET, os.urandom)
        self.link = SharedLink(open_shared_store(parse_address(url), None), url, lambda: 0.0)
        self.mark = RevocationMark(self.link, sealer)
        self.keys = SharedKeys(self.link, sealer)
        self.source = RedisKeySource(
            self.keys,
            self.mark,
            _settings(directory),
            lambda: self.now,
            os.urandom,
            fingerprint="0123456789abcdef",
            kept=kept,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.source.close()
        await self.link.close()

    def after_first_fetch(self, event: Callable[[], Awaitable[None]]) -> None:
        """Have something happen when the store has been asked for a first key."""
        fetch, events = self.keys.fetch, [event]

        async def fetch_first(epoch: int, rules: EpochRules, generation: bytes) -> FarmKey | None:
            found = await fetch(epoch, rules, generation)
            if events:
                await events.pop()()
            return found

        self.keys.fetch = fetch_first  # type: ignore[method-assign]  # the store is a real one

    def encrypts_with(self) -> bytes:
        """Return the name of the key for new tickets."""
        found = self.source.table.encryption_key(int(self.now))
        assert found is not None
        return found.key.name

    def decrypts(self, name: bytes) -> bool:
        """Tell whether tickets under this name are accepted."""
        return self.source.table.find(name, int(self.now)) is not None

    def key_of(self, epoch: int) -> FarmKey:
        """Return the first key of an epoch."""
        return next(each for each in self.source.table.keys if each.epoch == epoch)


def _with_hosts(
    directory: Path, server: RedisServer, work: Callable[[KeyHost, KeyHost], Awaitable[None]]
) -> None:
    async def run() -> None:
        hosts = [KeyHost(directory, server.url, file=name) for name in ("a", "b")]
        async with hosts[0] as one, hosts[1] as other:
            await work(one, other)

    uvloop.run(run())


async def _look(*hosts: KeyHost) -> None:
    await asyncio.gather(*(host.source.refresh() for host in hosts))


def test_hosts_that_race_to_make_a_key_agree_on_one(tmp_path: Path, redis_server: RedisServer) -> None:
    """Whoever loses takes the other one's; nothing in the store is overwritten."""

    async def run() -> None:
        hosts = [KeyHost(tmp_path, redis_server.url, file=f"{number}") for number in range(10)]
        await _look(*hosts)
        (name,) = {host.encrypts_with() for host in hosts}
        assert sum(host.source.counted.made for host in hosts) == 1
        assert sum(host.source.counted.adopted for host in hosts) == 9
        (key,) = redis_server.keys()
        before = redis_server.value(key)
        await _look(*hosts)
        assert redis_server.value(key) == before
        assert {host.encrypts_with() for host in hosts} == {name}
        for host in hosts:
            await host.__aexit__(None, None, None)

    uvloop.run(run())


def test_the_next_key_is_there_ahead_of_its_time(tmp_path: Path, redis_server: RedisServer) -> None:
    """It is accepted from shortly before its epoch, and encrypts from its beginning."""

    async def work(one: KeyHost, other: KeyHost) -> None:
        await _look(one, other)
        first = one.encrypts_with()
        one.now = _START + _EPOCH - _LEAD - 1
        await _look(one)
        assert len(redis_server.keys()) == 1
        one.now += 1
        await _look(one)
        assert len(redis_server.keys()) == 2
        following = one.key_of(1001).key.name
        assert one.encrypts_with() == first
        assert not one.decrypts(following)
        other.now = _START + _EPOCH - 1
        await _look(other)
        assert other.decrypts(following)
        other.now += 1
        assert other.encrypts_with() == following
        assert other.decrypts(first)

    _with_hosts(tmp_path, redis_server, work)


def test_a_key_decrypts_to_its_end_and_no_longer(tmp_path: Path, redis_server: RedisServer) -> None:
    """In the store, too."""

    async def work(one: KeyHost, _: KeyHost) -> None:
        await _look(one)
        first = one.encrypts_with()
        life = int(redis_server.ask("PTTL", redis_server.keys()[0])[1:]) / 1000
        assert 2 * _EPOCH + _SKEW - 5 < life <= 2 * _EPOCH + _SKEW
        one.now = _START + 2 * _EPOCH + _SKEW - 1
        await _look(one)
        assert one.decrypts(first)
        one.now += 1
        await _look(one)
        assert not one.decrypts(first)
        assert first not in {each.key.name for each in one.source.table.keys}

    _with_hosts(tmp_path, redis_server, work)


def test_a_host_that_joins_has_the_former_keys_too(tmp_path: Path, redis_server: RedisServer) -> None:
    """It decrypts what the others gave out before."""

    async def work(one: KeyHost, other: KeyHost) -> None:
        await _look(one)
        first = one.encrypts_with()
        one.now = other.now = _START + _EPOCH
        await _look(one)
        await _look(other)
        assert other.decrypts(first)
        assert other.encrypts_with() == one.encrypts_with() != first

    _with_hosts(tmp_path, redis_server, work)


def test_a_store_that_was_restarted_empty_gets_the_keys_again(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """No host changes its keys for it, and a new one gets them."""

    async def work(one: KeyHost, other: KeyHost) -> None:
        await _look(one)
        first = one.encrypts_with()
        one.now = other.now = _START + _EPOCH
        await _look(one)
        second = one.encrypts_with()
        redis_server.kill()
        redis_server.start()
        assert redis_server.keys() == []
        await _look(one)
        await _look(other)
        assert one.encrypts_with() == other.encrypts_with() == second
        assert other.decrypts(first)

    _with_hosts(tmp_path, redis_server, work)


def test_a_store_that_is_gone_at_a_rotation(tmp_path: Path, redis_server: RedisServer) -> None:
    """Each host makes do with a key of its own until all agree again; no ticket is lost where it was made."""

    async def work(one: KeyHost, other: KeyHost) -> None:
        await _look(one, other)
        first = one.encrypts_with()
        redis_server.kill()
        one.now = other.now = _START + _EPOCH
        await _look(one, other)
        names = one.encrypts_with(), other.encrypts_with()
        assert names[0] != names[1]
        assert one.decrypts(first)
        assert other.decrypts(first)
        assert "cannot be reached" in str(one.source.figures()["trouble"])
        redis_server.start()
        await _look(one)
        await _look(other)
        assert one.encrypts_with() == other.encrypts_with() == names[0]
        assert one.source.figures()["trouble"] == ""
        assert other.decrypts(names[1])

    _with_hosts(tmp_path, redis_server, work)


def test_a_host_restarted_while_the_store_is_gone_goes_on_with_the_keys(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """Those that it had; they are sealed on its disk."""

    async def run() -> None:
        async with KeyHost(tmp_path, redis_server.url) as one:
            await one.source.start()
            key = one.key_of(1000).key
        kept = (tmp_path / "kept-keys").read_bytes()
        assert not any(part in kept for part in (key.name, key.cipher_key, key.mac_key))
        redis_server.kill()
        async with KeyHost(tmp_path, redis_server.url) as again:
            await again.source.start()
            assert again.encrypts_with() == key.name
            assert again.key_of(1000).key == key

    uvloop.run(run())


def test_keys_that_were_revoked_meanwhile_do_not_come_back(tmp_path: Path, redis_server: RedisServer) -> None:
    """Neither by another host, nor by this one, whose file goes with them."""

    async def run() -> None:
        async with KeyHost(tmp_path, redis_server.url) as one:
            await one.source.start()
            old = one.encrypts_with()
        other = KeyHost(tmp_path, redis_server.url, file="other")
        await _look(other)
        revoked = other.source.revoke()
        await other.mark.move(other.now)
        await revoked
        async with KeyHost(tmp_path, redis_server.url) as again:
            await again.source.start()
            assert not again.decrypts(old)
            assert again.encrypts_with() == other.encrypts_with()
            revoked = again.source.revoke()
            assert not (tmp_path / "kept-keys").exists()
            await again.mark.move(again.now + 1)
            assert (await revoked).failure == ""
        await other.__aexit__(None, None, None)

    uvloop.run(run())


def test_a_store_that_is_stopped_keeps_nobody_waiting(tmp_path: Path, redis_server: RedisServer) -> None:
    """The keys that are there are answered as ever; the source begins within half a second."""

    async def work(one: KeyHost, other: KeyHost) -> None:
        await _look(one)
        first = one.encrypts_with()
        with redis_server.stopped():
            async with asyncio.timeout(1.0):
                await other.source.start()
            looking = asyncio.ensure_future(one.source.refresh())
            await asyncio.sleep(0.05)
            assert one.encrypts_with() == first
            await looking
        await _look(other)
        assert other.encrypts_with() == first

    _with_hosts(tmp_path, redis_server, work)


def test_a_key_moved_to_another_epoch_does_not_open(tmp_path: Path, redis_server: RedisServer) -> None:
    """Who can write to the store cannot have an old key used again: an alarm, and a key of one's own."""

    async def work(one: KeyHost, other: KeyHost) -> None:
        await _look(one)
        rules = one.source.table.rules
        old = redis_server.value(one.keys.name(1000, rules, one.mark.place))
        redis_server.ask("SET", one.keys.name(1001, rules, one.mark.place), old)
        other.now = _START + _EPOCH
        await _look(other)
        assert other.source.counted.tampered == 1
        assert other.encrypts_with() != one.encrypts_with()
        assert "put there by no host" in str(other.source.figures()["trouble"])

    _with_hosts(tmp_path, redis_server, work)


def test_what_is_in_the_store_is_sealed(tmp_path: Path, redis_server: RedisServer) -> None:
    """Neither the key nor its name is readable there."""

    async def work(one: KeyHost, _: KeyHost) -> None:
        await _look(one)
        (name,) = redis_server.keys()
        value, key = redis_server.value(name), one.key_of(1000).key
        assert not any(part in value or part in name for part in (key.name, key.cipher_key, key.mac_key))

    _with_hosts(tmp_path, redis_server, work)


def test_revoking_drops_the_keys_of_all_hosts(tmp_path: Path, redis_server: RedisServer) -> None:
    """Here at once; elsewhere when they look. What was revoked stays so, also when it is put back."""

    async def work(one: KeyHost, other: KeyHost) -> None:
        await _look(one, other)
        old = one.encrypts_with()
        (name,) = redis_server.keys()
        value = redis_server.value(name)
        revoked = one.source.revoke()
        assert await one.mark.move(one.now) == ""
        assert not one.decrypts(old)
        assert (await revoked).failure == ""
        assert redis_server.ask("EXISTS", name) == b":0\r\n"
        redis_server.ask("SET", name, value)
        await _look(other)
        assert not other.decrypts(old)
        assert other.encrypts_with() == one.encrypts_with() != old

    _with_hosts(tmp_path, redis_server, work)


def test_what_another_host_revokes_while_this_one_looks_is_not_published_anew(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """Held keys go at the moment that the mark is known, between two questions to the store, too."""

    async def work(one: KeyHost, other: KeyHost) -> None:
        await _look(one, other)
        old = one.encrypts_with()

        async def hear_of_it() -> None:
            await other.mark.move(other.now)
            await one.mark.refresh()
            assert not one.decrypts(old)

        one.after_first_fetch(hear_of_it)
        await _look(one)
        await _look(one, other)
        assert one.encrypts_with() == other.encrypts_with() != old
        assert not other.decrypts(old)

    _with_hosts(tmp_path, redis_server, work)


def test_a_store_that_was_set_back_lifts_no_revocation(tmp_path: Path, redis_server: RedisServer) -> None:
    """Also where a cache server starts then: its disk has the generation."""

    async def run() -> None:
        async with KeyHost(tmp_path, redis_server.url) as one:
            await one.source.start()
            old = one.encrypts_with()
            names = redis_server.keys()
            snapshot = {name: redis_server.value(name) for name in names}
            one.source.revoke()
            await one.mark.move(one.now)
            await _look(one)
        redis_server.ask("FLUSHALL")
        for key, value in snapshot.items():
            redis_server.ask("SET", key, value)
        async with KeyHost(tmp_path, redis_server.url) as again:
            await again.source.start()
            assert not again.decrypts(old)
            assert again.encrypts_with() != old
            assert again.mark.generation == one.mark.generation

    uvloop.run(run())


def test_a_key_that_was_emptied_in_the_store_is_an_alarm(tmp_path: Path, redis_server: RedisServer) -> None:
    """It is not taken for none: no host could put one there."""

    async def work(one: KeyHost, other: KeyHost) -> None:
        await _look(one)
        redis_server.ask("SET", redis_server.keys()[0], "")
        await _look(one, other)
        assert one.source.counted.tampered == other.source.counted.tampered == 1
        assert not _is_ready(other)

    _with_hosts(tmp_path, redis_server, work)


def test_a_key_that_nobody_else_has_is_this_hosts_own(tmp_path: Path, redis_server: RedisServer) -> None:
    """It does not count as the farm's before it is published, after a restart neither."""

    async def run() -> None:
        redis_server.kill()
        for _ in range(2):
            async with KeyHost(tmp_path, redis_server.url) as one:
                await one.source.start()
                assert not _is_ready(one)
                assert one.key_of(1000).source == LOCAL
                own = one.encrypts_with()
        redis_server.start()
        async with KeyHost(tmp_path, redis_server.url) as again:
            await again.source.start()
            assert _is_ready(again)
            assert again.encrypts_with() == own
            assert again.key_of(1000).source == "redis"
            assert len(again.source.table.keys) == 1

    uvloop.run(run())


def _is_ready(host: KeyHost) -> bool:
    return host.source.figures()["ready"] == {"redis": True}


def test_another_timeout_while_it_looks(tmp_path: Path, redis_server: RedisServer) -> None:
    """No key is made for epochs that are counted otherwise now."""

    async def work(one: KeyHost, _: KeyHost) -> None:
        async def change() -> None:
            one.source.use(_settings(tmp_path, 2 * _TIMEOUT))

        one.after_first_fetch(change)
        await _look(one)
        assert redis_server.keys() == []
        assert one.source.table.keys == ()
        await _look(one)
        assert len(redis_server.keys()) == 1
        assert one.encrypts_with()

    _with_hosts(tmp_path, redis_server, work)


def test_another_timeout_has_other_epochs(tmp_path: Path, redis_server: RedisServer) -> None:
    """None of the former keys is given out then; without tickets there is none, and none is made."""

    async def work(one: KeyHost, _: KeyHost) -> None:
        await _look(one)
        one.source.use(_settings(tmp_path, 7200))
        assert one.source.table.keys == ()
        await _look(one)
        assert len(redis_server.keys()) == 2
        one.source.use(_settings(tmp_path, 0))
        await _look(one)
        assert one.source.table.keys == ()
        assert one.source.figures()["trouble"] == ""
        assert len(redis_server.keys()) == 2

    _with_hosts(tmp_path, redis_server, work)
