"""A private Postfix and our three workers, side by side, with a handle on both."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rehearsal.directories import traversable_directory
from rehearsal.workers import Workers
from tests.system.postfix_instance import PostfixInstance
from tests.system.who_serves import Ours, workers_beside

#: The name of our socket, which no service of Postfix's own has.
SERVICE_NAME = str(Ours.service_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPostfix:
    """Both of them run, and read one main.cf."""

    postfix: PostfixInstance
    workers: Workers

    def evidence(self) -> str:
        """Return the end of every log, for the message of an assertion."""
        return f"{self.postfix.maillog_tail()}\n{self.workers.logs()}"


@contextmanager
def served(*, hooked_up: bool, chroot: bool, own_parameters: Mapping[str, str]) -> Iterator[ServedPostfix]:
    """Run both; ``own_parameters`` go into tlsmgr.cf.

    Unless it is ``hooked_up``, the Postfix has Debian's tlsmgr, and main.cf says nothing of ours.
    """
    with traversable_directory() as directory:
        name = SERVICE_NAME if hooked_up else None
        postfix = PostfixInstance(directory, chroot=chroot, tlsmgr_service_name=name)
        postfix.prepare()
        write_own_parameters(postfix, own_parameters)
        with workers_beside(postfix) as workers, postfix:
            yield ServedPostfix(postfix=postfix, workers=workers)


def write_own_parameters(postfix: PostfixInstance, parameters: Mapping[str, str]) -> None:
    """Write tlsmgr.cf beside the instance's main.cf."""
    text = "".join(f"{name} = {value}\n" for name, value in parameters.items())
    (postfix.config_directory / "tlsmgr.cf").write_text(text)
