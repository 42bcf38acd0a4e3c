"""Checks of what supervisord says of the workers and of their event listener."""

from collections.abc import Iterator, Mapping

from tlsmgr.doctor.findings import Finding, failed, ok, skipped, warning
from tlsmgr.doctor.supervision import Program
from tlsmgr.doctor.surroundings import Surroundings
from tlsmgr.errors import ExitCode

_WORKERS = ("tlsmgr:prng-server", "tlsmgr:cache-server", "tlsmgr:expiry-sweeper")
_LISTENER = "tlsmgr-health"
_WELL = frozenset({"RUNNING", "STARTING"})
_NONE = (
    "none was found, so nobody was asked: supervisor.sock is not beside main.cf,"
    " and no supervisord.conf in /etc; doctor -s FILE names another"
)
_ADVICE = {
    "BACKOFF": "it is tried again by itself, a few times; {log} says why it ends",
    "FATAL": "it is not tried any more: {log} says why; mend that, then: supervisorctl start {name}",
    "STOPPED": "somebody stopped it; supervisorctl start {name}",
    "STOPPING": "somebody stops it; supervisorctl start {name}",
}
_EXIT_ADVICE: Mapping[int, str] = {
    ExitCode.CONFIGURATION: (
        "{log} names file, line and parameter; mend that line, then: supervisorctl start {name}"
    ),
    ExitCode.GIVEN_UP: "it crashed again and again: {log} says why; then: supervisorctl start {name}",
}
_OTHER_ADVICE = "{log} says why; supervisorctl start {name}"


def supervisord(host: Surroundings) -> Iterator[Finding]:
    """Supervisord runs each worker, and the listener that watches over them."""
    seen = host.supervision
    if seen.trouble:
        text = f"{seen.place}: could not be asked: {seen.trouble}"
        yield warning(
            "supervisord", text, "see that it runs, look as root, or name its supervisord.conf with -s"
        )
    elif not seen.place:
        yield skipped("supervisord", _NONE)
    elif not seen.programs.keys() & {*_WORKERS, _LISTENER}:
        yield skipped(
            "supervisord", f"that of {seen.place} does not run tlsmgr; doctor -s FILE names another"
        )
    else:
        for name in (*_WORKERS, _LISTENER):
            yield finding_of(name, seen.programs.get(name), seen.place)


def finding_of(name: str, program: Program | None, place: str) -> Finding:
    """Return what is to be said of one process; ``place`` names the supervisord."""
    check = f"supervised {name}"
    # The workers go on without their listener.
    complaint = warning if name == _LISTENER else failed
    if program is None:
        advice = "include all of our supervisord.conf in its configuration, then: supervisorctl update"
        return complaint(check, f"the supervisord of {place} does not know it", advice)
    text = f"{program.state}, {program.text}"
    if program.state in _WELL:
        return ok(check, text)
    if program.state == "EXITED":
        text = f"EXITED with code {program.exit_code}, {program.text}"
        advice = _EXIT_ADVICE.get(program.exit_code, _OTHER_ADVICE)
    else:
        advice = _ADVICE.get(program.state, _OTHER_ADVICE)
    return complaint(check, text, advice.format(name=name, log=program.log))
