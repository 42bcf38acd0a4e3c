"""The cases: which server is asked what, by how many, and where both run."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmark.handshakes import KINDS, Client
from benchmark.load import LoadError, LoadGenerator, Measurement
from benchmark.placement import Placement, placed, usual
from benchmark.rounds import Case, Side
from benchmark.servers import MailServer, Server
from benchmark.workloads import Protocol, Workload, encoded, workloads

_RPC_CONNECTIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What cases are made with.

    Attributes:
        load: The load generator.
        placement: Where the servers and the load run in every case; None for what is usual for
            its number of connections.
    """

    load: LoadGenerator
    placement: Placement | None

    def of(self, workload: Workload, servers: tuple[Server, Server], *, keys: int) -> Iterator[Case]:
        """Give a workload's cases: both servers at each number of connections."""
        for connections in workload.connections:
            for placement in self._placements(workload, connections):
                yield self._case(workload, connections, placement, servers, keys)

    def of_rpc(self, lookup: Workload, server: Server, *, keys: int) -> Case:
        """Return the case that holds our second protocol against the first."""
        placement = self.placement or usual(_RPC_CONNECTIONS)
        first, second = (
            self._side(lookup, _RPC_CONNECTIONS, placement, (server, protocol), keys)
            for protocol in (Protocol.ATTRIBUTES, Protocol.RPC)
        )
        return _case("lookup, rpc", _RPC_CONNECTIONS, placement, first, second)

    def of_limit(self, limit: Server) -> Iterator[Case]:
        """Give the cases of the server that does nothing but answer."""
        policy = next(workload for workload in workloads() if workload.name == "policy")
        for connections in policy.connections:
            for placement in self._placements(policy, connections):
                side = self._side(policy, connections, placement, (limit, Protocol.ATTRIBUTES), 0)
                yield _case("echo", connections, placement, side, None)

    def of_handshakes(self, servers: Sequence[MailServer]) -> Iterator[Case]:
        """Give the cases of handshakes; both servers behind a mail server each."""
        placement = self.placement or usual(1)
        for kind in KINDS:
            yardstick, candidate = (
                _handshakes(server.tlsmgr, Client(server.port, kind), placement) for server in servers
            )
            yield _case(kind.name, 1, placement, yardstick, candidate)

    def _placements(self, workload: Workload, connections: int) -> Iterable[Placement]:
        if self.placement is not None:
            return [self.placement]
        return list(Placement) if workload.scattered and connections == 1 else [usual(connections)]

    def _case(
        self,
        workload: Workload,
        connections: int,
        placement: Placement,
        servers: tuple[Server, Server],
        keys: int,
    ) -> Case:
        yardstick, candidate = (
            self._side(workload, connections, placement, (server, Protocol.ATTRIBUTES), keys)
            for server in servers
        )
        return _case(workload.name, connections, placement, yardstick, candidate)

    def _side(
        self,
        workload: Workload,
        connections: int,
        placement: Placement,
        asked: tuple[Server, Protocol],
        keys: int,
    ) -> Side:
        server, protocol = asked
        path = server.path if protocol is Protocol.ATTRIBUTES else server.rpc_path
        if path is None:
            raise LoadError(f"{server.name} does not speak {protocol.value}")
        requests = encoded(workload.requests, protocol)

        def measure(seconds: float) -> Measurement:
            server.warm()
            with placed(server.confined(), placement):
                measured = self.load.measure(
                    path, protocol, requests, connections=connections, seconds=seconds, keys=keys
                )
            if measured.errors:
                raise LoadError(f"{server.name}: {workload.name}: {measured.errors} replies had no status 0")
            return measured

        return Side(label=server.name if protocol is Protocol.ATTRIBUTES else "ours, rpc", measure=measure)


def _handshakes(server: Server, client: Client, placement: Placement) -> Side:
    def measure(seconds: float) -> Measurement:
        with placed(server.confined(), placement):
            return client.measure(seconds)

    return Side(label=server.name, measure=measure)


def _case(
    workload: str, connections: int, placement: Placement, yardstick: Side, candidate: Side | None
) -> Case:
    return Case(
        workload=workload,
        connections=connections,
        placement=placement,
        yardstick=yardstick,
        candidate=candidate,
    )
