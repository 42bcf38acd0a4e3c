"""The verbs that speak to the workers themselves."""

import json

from rehearsal.sandbox import Sandbox
from tlsmgr.cli.workers import WORKERS
from tlsmgr.errors import ExitCode


def test_ping_says_who_answers(sandbox: Sandbox) -> None:
    """Ping names each worker, and ends with 69 as long as one of them is down."""
    sandbox.start("prng-server")

    one = sandbox.command("ping", "prng-server")
    all_of_them = sandbox.command("ping")
    quiet = sandbox.command("ping", "--quiet")

    assert (one.returncode, one.stdout) == (ExitCode.OK, b"prng-server: answers\n")
    assert all_of_them.returncode == ExitCode.UNAVAILABLE
    assert all_of_them.stdout.count(b"\n") == len(WORKERS)
    assert (quiet.returncode, quiet.stdout) == (ExitCode.UNAVAILABLE, b"")


def test_stats_is_a_json_object_a_line(sandbox: Sandbox) -> None:
    """Stats prints what each worker counted."""
    for name in WORKERS:
        sandbox.start(name)
    sandbox.command("update", "smtpd", "x")
    sandbox.command("lookup", "smtpd", "x")

    done = sandbox.command("stats")

    assert done.returncode == ExitCode.OK
    stats = {figures["name"]: figures for figures in map(json.loads, done.stdout.splitlines())}
    assert stats.keys() == set(WORKERS)
    smtpd = stats["cache-server"]["caches"]["smtpd"]
    assert (smtpd["updates"], smtpd["hits"], smtpd["entries"]) == (1, 1, 1)


def test_an_unknown_worker_is_a_usage_error(sandbox: Sandbox) -> None:
    """Only the three names are taken."""
    assert sandbox.command("ping", "tlsmgr").returncode == ExitCode.USAGE
    assert sandbox.command("serve", "tlsmgr").returncode == ExitCode.USAGE
