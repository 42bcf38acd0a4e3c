"""Checks of the Postfix that uses the same configuration."""

import re
from collections.abc import Iterator
from itertools import takewhile

from tlsmgr.config.configuration import OWN_FILE
from tlsmgr.config.expansion import Expander
from tlsmgr.config.parameters import PARAMETERS
from tlsmgr.doctor.findings import Finding, failed, ok, skipped, warning
from tlsmgr.doctor.surroundings import Surroundings
from tlsmgr.hookup.checks import PARAMETER, POSTFIX_CHECKS, SOCKET_CHECKS
from tlsmgr.hookup.checks import Check as Outcome
from tlsmgr.hookup.postconf import Postconf

_COMMAND_FIELD = 7
# The programs that ask tlsmgr; what they receive, they log when they are verbose.
_CLIENTS = frozenset({"smtpd", "smtp", "lmtp", "tlsproxy"})
_VERBOSE = re.compile(r"-v+")
# Of the process that reads them, and so never the same.
_OWN_TO_A_PROCESS = frozenset({"process_id", "process_name", "service_name", "config_directory"})


def sockets(host: Surroundings) -> Iterator[Finding]:
    """Our socket lets smtpd in, also out of its chroot jail, and answers."""
    for name, check in SOCKET_CHECKS.items():
        if name != "socket name" or host.postconf is not None:
            yield _finding(name, check(host.settings))


def hookup(host: Surroundings) -> Iterator[Finding]:
    """Postfix is one that can use our socket."""
    if host.postconf is None:
        yield skipped("Postfix", "none uses this configuration: there is no master.cf beside main.cf")
        return
    for name, check in POSTFIX_CHECKS.items():
        yield _finding(name, check(host.settings, host.postconf))


def _finding(name: str, outcome: Outcome) -> Finding:
    text, _, advice = outcome.text.partition("; ")
    return ok(name, outcome.text) if outcome.passed else failed(name, text, advice or "see README.md")


def service_name(host: Surroundings) -> Iterator[Finding]:
    """Every Postfix program asks our socket: main.cf says so, and no -o in master.cf says otherwise."""
    if host.postconf is None:
        return
    ours = host.settings.tlsmgr_service_name
    asked = host.postconf.value(PARAMETER)
    if asked != ours:
        yield failed(
            PARAMETER,
            f"Postfix asks {asked}, not our socket {ours}",
            "run: tlsmgr postfix enable; postfix reload",
        )
    else:
        yield ok(PARAMETER, f"Postfix asks {ours}, our socket")
    for service, name, value in host.postconf.overrides():
        if name == PARAMETER and value != ours:
            text = f"master.cf has -o {PARAMETER}={value} for {service}: it does not ask our socket {ours}"
            yield failed(
                f"{PARAMETER} of {service}", text, "remove that option from master.cf; postfix reload"
            )


def parameters(host: Surroundings) -> Iterator[Finding]:
    """What both read, both read alike; and nothing stands where only Postfix's own tlsmgr reads it."""
    if host.postconf is None:
        return
    found = [*_different_values(host, host.postconf), *_tlsmgr_options(host.postconf)]
    yield from found or [ok("parameters", "Postfix and tlsmgr read the same values")]


def _different_values(host: Surroundings, postconf: Postconf) -> Iterator[Finding]:
    # Its own name for the socket is what tlsmgr.cf is for.
    names = PARAMETERS.keys() - _OWN_TO_A_PROCESS - {PARAMETER}
    common = [name for name in sorted(names) if not name.startswith("tlsmgr_")]
    theirs = postconf.values(common)
    expander = Expander(host.configuration.text)
    for name in common:
        ours = " ".join(host.configuration.expand(name, expander).split())
        if name in theirs and " ".join(theirs[name].split()) != ours:
            place = host.configuration.place(name)
            text = f"tlsmgr reads {name} = {ours} ({place}), Postfix reads {theirs[name]}"
            yield warning(f"parameter {name}", text, f"set it in main.cf, and remove it from {OWN_FILE}")


def _tlsmgr_options(postconf: Postconf) -> Iterator[Finding]:
    for service, name, value in postconf.overrides():
        if service == "tlsmgr/unix" and name in PARAMETERS:
            text = f"master.cf has -o {name}={value} for Postfix's own tlsmgr, which is not ours"
            yield warning(f"parameter {name}", text, f"set {name} in {OWN_FILE}, if it is to hold here")


def verbosity(host: Surroundings) -> Iterator[Finding]:
    """No Postfix program logs the seeds and ticket keys that it is sent."""
    if host.postconf is None:
        return
    name = "verbose Postfix programs"
    loud = [entry for entry in host.postconf.services() if _is_loud(entry)]
    for entry in loud:
        text = f"master.cf has -v for {entry[0]}/{entry[1]}: it logs each seed and ticket key that it is sent"
        yield failed(name, text, "remove -v from master.cf; postfix reload; tlsmgr revoke")
    peers = host.postconf.value("debug_peer_list")
    if peers:
        text = f"debug_peer_list = {peers}: seeds and ticket keys are logged for these peers"
        yield failed(name, text, "empty debug_peer_list in main.cf; postfix reload; tlsmgr revoke")
    if not loud and not peers:
        yield ok(name, "none logs what it is sent")


def _is_loud(entry: list[str]) -> bool:
    command, *arguments = entry[_COMMAND_FIELD:] or [""]
    if command not in _CLIENTS:
        return False
    return any(
        _VERBOSE.fullmatch(each) for each in takewhile(lambda each: each.startswith("-"), _flags(arguments))
    )


def _flags(arguments: list[str]) -> Iterator[str]:
    """Yield the options, without what -o takes."""
    takes_value = False
    for each in arguments:
        if not takes_value:
            yield each
        takes_value = each == "-o" and not takes_value
