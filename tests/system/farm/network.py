"""Hosts that see each other over a network, on one machine: network namespaces of the test's own."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from rehearsal.programs import program

_COMMAND_SECONDS = 20.0
_PREFIX_LENGTH = 24
_HUB_NUMBER = 1
_FIRST_NUMBER = 11
_BRIDGE = "hub0"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlace:
    """Where a process can be: a network namespace, and its address there."""

    namespace: str
    address: str

    @property
    def enter(self) -> tuple[str, ...]:
        """What a command begins with so that it runs there."""
        return ("nsenter", f"--net=/run/netns/{self.namespace}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Hosts around a hub, which is where clients and a common store are."""

    hub: NetworkPlace
    hosts: tuple[NetworkPlace, ...]

    @staticmethod
    def cut(host: NetworkPlace) -> None:
        """Take a host off the network."""
        _run([*host.enter, "ip", "link", "set", "eth0", "down"])

    @staticmethod
    def mend(host: NetworkPlace) -> None:
        """Put a host back on the network."""
        _run([*host.enter, "ip", "link", "set", "eth0", "up"])


@contextmanager
def network(count: int) -> Iterator[Network]:
    """Make a hub and so many hosts; what cannot be made skips the test."""
    label = f"tlsmgr{os.getpid()}"
    hub = _place(f"{label}-hub", _HUB_NUMBER)
    hosts = tuple(_place(f"{label}-{number}", _FIRST_NUMBER + number) for number in range(count))
    with ExitStack() as stack:
        for place in (hub, *hosts):
            stack.enter_context(_namespace(place))
        _run([*hub.enter, "ip", "link", "add", _BRIDGE, "type", "bridge"])
        _bring_up(hub, _BRIDGE)
        for number, host in enumerate(hosts):
            _connect(hub, host, f"port{number}")
        yield Network(hub=hub, hosts=hosts)


def _place(namespace: str, number: int) -> NetworkPlace:
    # Of the block that is for documentation (RFC 5737): nobody's network is like that.
    return NetworkPlace(namespace=namespace, address=f"192.0.2.{number}")


@contextmanager
def _namespace(place: NetworkPlace) -> Iterator[None]:
    made = subprocess.run(  # noqa: S603 - our own command
        [_ip(), "netns", "add", place.namespace], check=False, capture_output=True, text=True
    )
    if made.returncode != 0:
        pytest.skip(f"only root of a machine of its own can make network namespaces: {made.stderr.strip()}")
    try:
        _run([*place.enter, "ip", "link", "set", "lo", "up"])
        yield
    finally:
        _run(["ip", "netns", "delete", place.namespace])


def _connect(hub: NetworkPlace, host: NetworkPlace, port: str) -> None:
    ends = ["type", "veth", "peer", "name", "eth0", "netns", host.namespace]
    _run([*hub.enter, "ip", "link", "add", port, *ends])
    _run([*hub.enter, "ip", "link", "set", port, "master", _BRIDGE, "up"])
    _bring_up(host, "eth0")


def _bring_up(place: NetworkPlace, device: str) -> None:
    address = f"{place.address}/{_PREFIX_LENGTH}"
    _run([*place.enter, "ip", "address", "add", address, "dev", device])
    _run([*place.enter, "ip", "link", "set", device, "up"])


def _ip() -> str:
    found = program("ip")
    if found is None:
        pytest.skip("ip: not installed (Debian's package iproute2)")
    return str(found)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(  # noqa: S603 - the commands are this module's own
        [str(program(command[0])), *command[1:]],
        check=False,
        capture_output=True,
        text=True,
        timeout=_COMMAND_SECONDS,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.stderr}")
