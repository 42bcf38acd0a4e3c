"""The stages of a run, each with servers of its own: few sessions, and a million."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.cases import Bench
from benchmark.load import LoadGenerator, compiled, compiled_library
from benchmark.options import Options
from benchmark.rounds import Case, Outcome, run
from benchmark.servers import MailServer, Server, debian, echo, ours
from benchmark.workloads import (
    FEW_KEYS,
    LIMITED_KEYS,
    Protocol,
    encoded,
    filling,
    limited_update,
    million,
    shared_lookup,
    workloads,
)
from rehearsal.directories import traversable_directory
from rehearsal.redis_server import RedisServer
from rehearsal.sharing import farm_secret
from rehearsal.waiting import wait_for

_PREFIX = "tlsb"


@dataclass(slots=True, kw_only=True)
class Run:
    """A run and what it has measured so far.

    Attributes:
        options: What was asked for.
        programs: A directory for what is compiled.
        say: Is told what is going on.
        outcomes: What was measured.
        memory: In KiB, by moment, server and process.
    """

    options: Options
    programs: Path
    say: Callable[[str], None]
    outcomes: list[Outcome] = field(default_factory=list)
    memory: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        load = LoadGenerator(path=compiled("load", self.programs))
        self._bench = Bench(load=load, placement=self.options.placement)

    _bench: Bench = field(init=False)

    def few_sessions(self) -> None:
        """Measure all that needs no more than a thousand sessions, and what a socket can do at most."""
        only = self.options.only
        wanted = [workload for workload in workloads() if workload.name in only]
        lookup = next(workload for workload in workloads() if workload.name == "lookup")
        with ExitStack() as stack:
            mail_servers = self._pair(stack)
            servers = (mail_servers[0].tlsmgr, mail_servers[1].tlsmgr)
            self._fill(servers, FEW_KEYS)
            self._weigh("idle with a thousand sessions", servers)
            cases = [case for one in wanted for case in self._bench.of(one, servers, keys=FEW_KEYS)]
            if "rpc" in only:
                cases.append(self._bench.of_rpc(lookup, servers[1], keys=FEW_KEYS))
            if "handshakes" in only:
                cases += self._bench.of_handshakes(mail_servers)
            if "echo" in only:
                limit = stack.enter_context(echo(self.programs, compiled("echo", self.programs)))
                cases += self._bench.of_limit(limit)
            self._measure(cases)
            self._weigh("after the load", servers)

    def at_a_limit(self) -> None:
        """Measure updates of a cache that is full, and of one that may hold any number."""
        keys = min(self.options.keys, LIMITED_KEYS)
        limit = {"tlsmgr_session_cache_entry_limit": str(keys)}
        with ExitStack() as stack:
            first, second = (stack.enter_context(traversable_directory(_PREFIX)) for _ in range(2))
            servers = (
                stack.enter_context(ours(first)).tlsmgr,
                stack.enter_context(ours(second, name="ours, full", changes=limit)).tlsmgr,
            )
            self._fill(servers, keys)
            self._measure(list(self._bench.of(limited_update(), servers, keys=keys)))

    def shared_sessions(self) -> None:
        """Measure lookups that are found at home, where sessions are shared and where they are not."""
        with ExitStack() as stack:
            first, second, third = (stack.enter_context(traversable_directory(_PREFIX)) for _ in range(3))
            store = stack.enter_context(RedisServer(third / "redis", ["unixsocketperm 777"]))
            secret = farm_secret(second / "farm-secret", "root")
            sharing = {
                "tlsmgr_farm_secret_file": str(secret),
                "smtpd_tls_session_cache_database": f"redis:{store.url}",
            }
            servers = (
                stack.enter_context(ours(first)).tlsmgr,
                stack.enter_context(ours(second, name="ours, shared", changes=sharing)).tlsmgr,
            )
            self._fill(servers, FEW_KEYS)
            wait_for("shared sessions", lambda: len(store.keys()) >= FEW_KEYS)
            self._measure(list(self._bench.of(shared_lookup(), servers, keys=FEW_KEYS)))

    def many_sessions(self) -> None:
        """Measure lookups in caches that hold very many sessions."""
        keys = self.options.keys
        with ExitStack() as stack:
            pair = self._pair(stack, preload=compiled_library("unsynced", self.programs))
            servers = (pair[0].tlsmgr, pair[1].tlsmgr)
            self.say(f"filling both caches with {keys} sessions")
            self._fill(servers, keys)
            self._weigh(f"idle with {keys:,} sessions", servers)
            self._measure(list(self._bench.of(million(), servers, keys=keys)))
            self._weigh(f"{keys:,} sessions, after lookups", servers)

    def _pair(self, stack: ExitStack, *, preload: Path | None = None) -> tuple[MailServer, MailServer]:
        first, second = (stack.enter_context(traversable_directory(_PREFIX)) for _ in range(2))
        return (
            stack.enter_context(debian(first, preload=preload)),
            stack.enter_context(ours(second)),
        )

    def _fill(self, servers: tuple[Server, Server], keys: int) -> None:
        requests = encoded([filling()], Protocol.ATTRIBUTES)

        def fill(server: Server) -> None:
            self._bench.load.send_each(server.path, requests, keys=keys, connections=64)

        with ThreadPoolExecutor() as pool:
            list(pool.map(fill, servers))
        os.sync()  # what the kernel has yet to write would be written during the first measurements

    def _measure(self, cases: list[Case]) -> None:
        self.outcomes += run(cases, rounds=self.options.rounds, seconds=self.options.seconds, say=self.say)

    def _weigh(self, moment: str, servers: tuple[Server, Server]) -> None:
        self.memory[moment] = {server.name: server.memory() for server in servers}
