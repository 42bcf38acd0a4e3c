"""Checks of what the workers say of themselves."""

import errno
import os
from collections.abc import Iterator
from typing import Any

from tlsmgr.doctor.findings import Finding, failed, ok, warning
from tlsmgr.doctor.surroundings import Surroundings
from tlsmgr.version import __version__

_NEAR = 0.9
_SEED_ADVICE = "see the log of prng-server, and that it runs"


def answering(host: Surroundings) -> Iterator[Finding]:
    """Each worker answers."""
    for name, stats in host.stats.items():
        yield ok(f"worker {name}", f"answers, with process id {stats.get('pid')}")
    for name, reason in host.silent.items():
        advice = f"supervisorctl status tlsmgr:{name} and its log say why; supervisorctl start tlsmgr:{name}"
        if os.strerror(errno.EACCES) in reason:
            advice = "look as root, or as one of tlsmgr_authorized_users"
        yield failed(f"worker {name}", reason, advice)


def versions(host: Surroundings) -> Iterator[Finding]:
    """Each worker has the version of this command."""
    for name, stats in host.stats.items():
        if stats.get("version") == __version__:
            yield ok(f"version of {name}", __version__)
        else:
            text = f"runs version {stats.get('version')}; the one installed is {__version__}"
            yield failed(f"version of {name}", text, "run scripts/rolling-restart")


def sealing(host: Surroundings) -> Iterator[Finding]:
    """Both workers that hold the sealing key have it, so that either may be restarted."""
    for name, stats in host.stats.items():
        for _, keys in _maps({"sealing": stats.get("sealing")}):
            if keys.get("key_shared", True):
                yield ok(f"sealing key of {name}", "a restart loses no session")
            else:
                text = "no other worker has it: a restart loses all sessions and ticket keys"
                advice = (
                    "see that both cache-server and prng-server run; their logs say why they do not share it"
                )
                yield warning(f"sealing key of {name}", text, advice)


def limits(host: Surroundings) -> Iterator[Finding]:
    """The caches, and the connections, are not near their limits."""
    stats = host.stats.get("cache-server", {})
    for name, cache in _maps(stats.get("caches")):
        yield from _cache_limits(host, name, cache)
    most = host.settings.tlsmgr_client_connection_limit
    for name, connections in _maps(stats.get("connections")):
        used = _number(connections, "open")
        advice = "raise tlsmgr_client_connection_limit, or find who opens so many"
        yield from _against(f"connections of {name}", used, most, "connections", advice)


def _cache_limits(host: Surroundings, name: str, cache: dict[str, Any]) -> Iterator[Finding]:
    if not cache.get("enabled", True):
        return
    settings = host.settings
    for unit, most, parameter in (
        ("entries", settings.tlsmgr_session_cache_entry_limit, "tlsmgr_session_cache_entry_limit"),
        ("bytes", settings.tlsmgr_session_cache_size_limit, "tlsmgr_session_cache_size_limit"),
    ):
        advice = f"raise {parameter}, or lower {name}_tls_session_cache_timeout"
        yield from _against(f"{unit} of {name}", _number(cache, unit), most, unit, advice)
    gone = _number(cache, "evictions")
    if gone:
        text = f"{gone} sessions went before their time, for want of room"
        yield warning(f"evictions of {name}", text, "raise the limit that the log names")


def _against(name: str, used: int, most: int, unit: str, advice: str) -> Iterator[Finding]:
    if most and used >= most * _NEAR:
        yield warning(name, f"{used} {unit}, of {most} at most", advice)
    else:
        yield ok(name, f"{used} {unit}, of {most or 'any number'} at most")


def randomness(host: Surroundings) -> Iterator[Finding]:
    """The entropy source is good, and seeds come from the pool."""
    prng = host.stats.get("prng-server")
    if prng is not None and "source_state" in prng:
        yield _source(str(prng.get("source", "")), str(prng["source_state"]))
        yield from _exchanges(host, prng)
    for _, seeds in _maps({"seeds": host.stats.get("cache-server", {}).get("seeds")}):
        if _number(seeds, "kernel") and not prng:
            yield warning("seeds", "they come from the kernel's generator alone", _SEED_ADVICE)


def _source(source: str, state: str) -> Finding:
    name = "entropy source"
    advice = "see the log of prng-server; check tls_random_source"
    match state:
        case "good" | "new" | "spent":
            return ok(name, f"{source} is {state}")
        case "none":
            return warning(name, "none is configured", "set tls_random_source = dev:/dev/urandom")
        case "alarm":
            return failed(name, f"{source} gave bytes that are not random", advice)
        case _:
            return failed(name, f"{source} is {state}", advice)


def _exchanges(host: Surroundings, prng: Any) -> Iterator[Finding]:  # noqa: ANN401 - a map, as asked for
    path = host.settings.tls_random_exchange_name
    if path is None:
        return
    if _number(prng, "exchange_failures") and not _number(prng, "exchange_updates"):
        text = f"{path} could not be used so far"
        yield warning("exchange file", text, "see the log of prng-server; check its owner and directory")
    else:
        yield ok("exchange file", f"{path} is kept up to date")


def _maps(found: object) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(found, dict):
        yield from ((str(name), value) for name, value in found.items() if isinstance(value, dict))


def _number(figures: dict[str, Any], name: str) -> int:
    value = figures.get(name)
    return value if isinstance(value, int) else 0
