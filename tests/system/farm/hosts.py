"""A mail host of a farm: its place in the network, its clock, its Postfix, its workers."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rehearsal.directories import traversable_directory
from rehearsal.private_postfix import PrivatePostfix
from rehearsal.waiting import wait_for
from rehearsal.workers import Workers
from tests.system.farm.network import Network, NetworkPlace, network
from tests.system.postfix_instance import READY_SECONDS, server_parameters
from tests.system.postfix_presence import require_postfix
from tests.system.shim import Shim
from tests.system.starttls import Handshake, Mode, handshake

SERVICE_NAME = "tlsmgr-cache"
_PORT = 25
#: Seconds. Postfix takes no shorter session timeout; an epoch of ticket keys is half of it.
TIMEOUT = 120
EPOCH = TIMEOUT // 2
_FARM_SOURCES = ("ratchet", "redis")
#: A host looks into the store at least twice a minute.
_NEXT_KEY_SECONDS = 45.0

# Seconds by which the clocks of the hosts are off; tlsmgr_clock_skew is 30.
SKEWS = (0, 14, -14)

# smtpd under the name that it has on every host: session ids, and in Postfix 3.12 tickets, hold it.
_SERVICES = (
    "smtp inet n - n - 2 smtpd",
    "cleanup unix n - n - 0 cleanup",
    "rewrite unix - - n - - trivial-rewrite",
    "anvil unix - - n - 1 anvil",
    "proxymap unix - - n - - proxymap",
)
# Postfix clears its environment but for these.
_SHIM_VARIABLES = "LD_PRELOAD FAULTS_FILE"


class _Postfix(PrivatePostfix):
    """The host's Postfix; it greets on port 25 of the host's own network."""

    def __init__(self, directory: Path, place: NetworkPlace, environment: Mapping[str, str]) -> None:
        parameters = server_parameters(directory) | {
            "inet_interfaces": "all",
            "import_environment": f"MAIL_CONFIG MAIL_LOGTAG TZ LANG=C {_SHIM_VARIABLES}",
            "tlsmgr_service_name": SERVICE_NAME,
            "smtpd_tls_session_cache_timeout": f"{TIMEOUT}s",
        }
        super().__init__(
            directory,
            parameters=parameters,
            services=_SERVICES,
            prefix=place.enter,
            environment=environment,
        )


class FarmHost:
    """One host: everything on it runs in its own network namespace and by its own clock.

    Args:
        directory: Made for it.
        place: Where it is in the network.
        client: Where its clients are.
        parameters: What goes into tlsmgr.cf.
        skew: Seconds by which its clock is always off.
    """

    def __init__(
        self,
        directory: Path,
        place: NetworkPlace,
        client: NetworkPlace,
        parameters: Mapping[str, str],
        *,
        skew: int,
    ) -> None:
        self.place = place
        self.skew = skew
        self._client = client
        directory.mkdir(mode=0o755)
        self._shim = Shim(directory)
        self.set_clock(skew)
        environment = self._shim.environment
        self.postfix = _Postfix(directory, place, environment)
        self.postfix.prepare()
        self.configure(parameters)
        self.workers = Workers(
            directory / "supervisor",
            config_directory=self.postfix.config_directory,
            prefix=place.enter,
            environment=environment,
        )

    @property
    def data_directory(self) -> Path:
        """The directory of mail_owner's files."""
        return self.postfix.data_directory

    def configure(self, parameters: Mapping[str, str]) -> None:
        """Write tlsmgr.cf anew."""
        text = "".join(f"{name} = {value}\n" for name, value in parameters.items())
        (self.postfix.config_directory / "tlsmgr.cf").write_text(text)

    @contextmanager
    def running(self) -> Iterator["FarmHost"]:
        """Run the workers, then Postfix."""
        with self.workers, self.postfix:
            yield self

    def set_clock(self, offset: int) -> None:
        """Have the host's clock be off by so many seconds."""
        self._shim.use(clock_seconds=offset)

    def handshake(self, mode: Mode, session: Path) -> Handshake:
        """Have a client connect, with what it has of a session."""
        return handshake(_PORT, mode, session, host=self.place.address, prefix=self._client.enter)

    def await_greeting(self, session: Path) -> None:
        """Wait until a client gets through."""
        wait_for("handshake", lambda: self._greets(session), seconds=READY_SECONDS, evidence=self.evidence)

    def evidence(self) -> str:
        """Return the end of every log, for the message of an assertion."""
        return f"{self.postfix.maillog_tail()}\n{self.workers.logs()}"

    def command(self, *arguments: str) -> str:
        """Run ``tlsmgr`` on the host; return its output.

        Raises:
            AssertionError: it fails.
        """
        done = self.workers.command(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}\n{self.evidence()}"
        return done.stdout

    def ticket_keys(self) -> list[Mapping[str, Any]]:
        """Return the ticket keys that it holds, without their secrets."""
        return [json.loads(line) for line in self.command("keys", "--json").splitlines()]

    def has_key_of(self, epoch: int) -> bool:
        """Tell whether the farm's key of an epoch is here: some time after the clock was set."""
        return epoch in (key["epoch"] for key in self.ticket_keys() if key.get("source") in _FARM_SOURCES)

    def _greets(self, session: Path) -> bool:
        try:
            self.handshake(Mode.TICKET_1_2, session)
        except AssertionError:
            return False
        return True


class Farm:
    """All hosts, and what is around them.

    Args:
        made: The network.
        hosts: What is at each of its places.
        directory: For what a test puts beside them.
    """

    def __init__(self, made: Network, hosts: Sequence[FarmHost], directory: Path) -> None:
        self.network = made
        self.hosts = tuple(hosts)
        self._directory = directory
        self._offset = 0

    @contextmanager
    def running(self) -> Iterator["Farm"]:
        """Run all hosts; they start at once, as after a power cut."""
        with ExitStack() as stack, ThreadPoolExecutor() as pool:
            for started in pool.map(_started, self.hosts):
                stack.push(started)
            yield self

    def share_secret(self) -> None:
        """Make the farm's secret on the first host, and bring it to all of them."""
        first, *others = self.hosts
        file = self._directory / "secret"
        first.command("farm", "new-secret", str(file))
        first.command("farm", "import", str(file))
        for number, host in enumerate(others):
            copy = self._directory / f"secret{number}"
            first.command("farm", "export", str(copy))
            host.command("farm", "import", str(copy))

    def advance(self, seconds: int) -> None:
        """Let so much time pass at once, by the clocks of all hosts; it never goes back."""
        self._offset += seconds
        for host in self.hosts:
            host.set_clock(self._offset + host.skew)

    def begin_epoch(self) -> None:
        """Let time pass until an epoch of ticket keys has just begun, by a right clock.

        As time goes, all hosts see the end of the former epoch come, and have the new one's key before.
        """
        self._advance_to(EPOCH // 2)
        following = self._now() // EPOCH + 1
        for host in self.hosts:
            wait_for(
                f"key of epoch {following} on {host.place.namespace}",
                lambda host=host: host.has_key_of(following),  # type: ignore[misc]
                seconds=_NEXT_KEY_SECONDS,
                evidence=host.evidence,
            )
        self._advance_to(1)

    def _advance_to(self, second: int) -> None:
        self.advance((second - self._now()) % EPOCH)

    def _now(self) -> int:
        return int(time.time()) + self._offset

    def evidence(self) -> str:
        """Return the end of every log, for the message of an assertion."""
        return "\n".join(host.evidence() for host in self.hosts)


def _started(host: FarmHost) -> ExitStack:
    with ExitStack() as stack:
        stack.enter_context(host.running())
        return stack.pop_all()


def made_farm(made: Network, root: Path, parameters: Mapping[str, str]) -> Farm:
    """Prepare a host at each place of a network; none runs yet."""
    hosts = [
        FarmHost(root / f"host{number}", place, made.hub, parameters, skew=SKEWS[number % len(SKEWS)])
        for number, place in enumerate(made.hosts)
    ]
    return Farm(made, hosts, root)


@contextmanager
def local_network(count: int) -> Iterator[tuple[Network, Path]]:
    """Make a network of so many hosts, and a directory for what is on them."""
    require_postfix()
    with ExitStack() as stack:
        yield stack.enter_context(network(count)), stack.enter_context(traversable_directory())
