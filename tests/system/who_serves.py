"""Who answers a Postfix's TLS requests in a test: Debian's own tlsmgr, or another in its place."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from rehearsal.directories import traversable_directory
from rehearsal.sandbox import UNPRIVILEGED_USER, Sandbox
from rehearsal.workers import Workers
from tests.system.debian_tlsmgr import DebianTlsmgr
from tests.system.postfix_instance import PostfixInstance


class Server(Protocol):
    """A tlsmgr that can be put behind a Postfix, or be asked on its own."""

    #: What ``tlsmgr_service_name`` has to be; None leaves Debian's own in its place.
    service_name: str | None

    def beside(self, postfix: PostfixInstance) -> AbstractContextManager[None]:
        """Serve on the socket in the prepared, not yet started, instance's queue directory."""

    def alone(self, parameters: Mapping[str, str]) -> AbstractContextManager[Path]:
        """Serve with these parameters of main.cf and without a Postfix; give the socket's path."""


class Debian:
    """The yardstick: the tlsmgr of the installed Postfix, started by its master."""

    service_name: str | None = None

    def __str__(self) -> str:
        return "debian"

    def beside(self, _postfix: PostfixInstance) -> AbstractContextManager[None]:
        """Do nothing: the instance's own master starts it."""
        return nullcontext()

    @contextmanager
    def alone(self, parameters: Mapping[str, str]) -> Iterator[Path]:
        """Run it under a master that has no other service."""
        with traversable_directory() as directory, DebianTlsmgr(directory, parameters=parameters) as tlsmgr:
            yield tlsmgr.path


class Ours:
    """The three workers of this checkout, under supervisord."""

    service_name: str | None = "tlsmgr-cache"

    def __str__(self) -> str:
        return "ours"

    @contextmanager
    def beside(self, postfix: PostfixInstance) -> Iterator[None]:
        """Run them with the instance's own main.cf."""
        with workers_beside(postfix):
            yield

    @contextmanager
    def alone(self, parameters: Mapping[str, str]) -> Iterator[Path]:
        """Run them in directories made for them, with the rights of a user who is not root."""
        own = {"tlsmgr_service_name": str(self.service_name), **parameters}
        with Sandbox(owner=UNPRIVILEGED_USER, caches=()) as sandbox:
            sandbox.configure(*(f"{name} = {value}" for name, value in own.items()))
            with Workers(sandbox.root / "supervisor", config_directory=sandbox.etc):
                yield sandbox.queue / "private" / str(self.service_name)


#: Those that are measured against Debian's; the tests of this folder run for each.
CANDIDATES: list[Server] = [Ours()]

#: All that a Postfix can run with.
SERVERS: list[Server] = [Debian(), *CANDIDATES]


def workers_beside(postfix: PostfixInstance) -> Workers:
    """Return our workers, not yet started, for a Postfix that is prepared: both read one main.cf."""
    directory = postfix.config_directory
    return Workers(directory.with_name("supervisor"), config_directory=directory)


@contextmanager
def running(
    server: Server,
    *,
    chroot: bool = False,
    process_limit: int = 1,
    parameters: Mapping[str, str] | None = None,
) -> Iterator[PostfixInstance]:
    """Run a Postfix that ``server`` serves: it is there before the first smtpd asks for the policy."""
    with traversable_directory() as directory:
        instance = PostfixInstance(
            directory,
            chroot=chroot,
            process_limit=process_limit,
            tlsmgr_service_name=server.service_name,
            parameters=parameters,
        )
        instance.prepare()
        with server.beside(instance), instance:
            yield instance
