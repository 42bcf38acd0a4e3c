"""All checks, in the order of the report."""

from collections.abc import Iterator

from tlsmgr.doctor import (
    farm_checks,
    file_checks,
    postfix_checks,
    shared_store_checks,
    supervisor_checks,
    worker_checks,
)
from tlsmgr.doctor.findings import Finding, failed
from tlsmgr.doctor.surroundings import Check, Surroundings
from tlsmgr.errors import TlsmgrError

#: In the order of the report; the first line of each says what it holds.
CHECKS: tuple[Check, ...] = (
    worker_checks.answering,
    supervisor_checks.supervisord,
    worker_checks.versions,
    worker_checks.sealing,
    worker_checks.randomness,
    worker_checks.limits,
    file_checks.users,
    file_checks.directories,
    file_checks.stores,
    file_checks.leftovers,
    file_checks.disks,
    file_checks.clock,
    farm_checks.secret,
    farm_checks.keys,
    shared_store_checks.shared_stores,
    postfix_checks.sockets,
    postfix_checks.hookup,
    postfix_checks.service_name,
    postfix_checks.parameters,
    postfix_checks.verbosity,
)


def examine(host: Surroundings) -> Iterator[Finding]:
    """Carry out every check; one that cannot be carried out is a finding too."""
    for check in CHECKS:
        try:
            yield from check(host)
        except TlsmgrError as error:
            yield failed(_name(check), f"could not be looked at: {error}", "mend that first, then look again")
        except OSError as error:
            text = f"could not be looked at: {error.filename}: {error.strerror}"
            yield failed(_name(check), text, "look as root")


def _name(check: Check) -> str:
    return check.__name__.replace("_", " ")
