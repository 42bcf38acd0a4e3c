"""What somebody meets who tries the command for the first time: each answer says what to do next."""

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from rehearsal.checkout import CHECKOUT, COMMANDS
from rehearsal.sandbox import Sandbox
from tlsmgr.cli.workers import WORKERS
from tlsmgr.errors import ExitCode
from tlsmgr.messages import CacheType

#: No UTF-8, a control character, and a word.
_ODD_ID = b"\xff\xfe\x01odd"


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    """Give a sandbox in which all workers run, with an odd session and two caches."""
    with Sandbox(caches=("smtpd", "smtp")) as made:
        for worker in WORKERS:
            made.start(worker)
        with made.client() as client:
            assert client.update(CacheType.SMTP, _ODD_ID, b"session")
        yield made


def _run(sandbox: Sandbox, line: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of sh, in which the command is on the path."""
    return subprocess.run(  # noqa: S603 - this test's own line
        ["/bin/sh", "-c", line],
        env={**sandbox.environment, "PATH": f"{COMMANDS}:{CHECKOUT}/scripts:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("policy foo", 64, "'foo': expected one of smtpd, smtp, lmtp"),
        ("list --cache foo", 64, "'foo': expected one of smtpd, smtp, lmtp"),
        ("stats foo", 64, "choose from 'cache-server', 'prng-server', 'expiry-sweeper')"),
        ("ping foo", 64, "choose from 'cache-server', 'prng-server', 'expiry-sweeper')"),
        ("seed 8 --timeout x", 64, "'x': expected seconds, more than 0"),
        ("seed 8 --timeout 0", 64, "'0': expected seconds, more than 0"),
        ("seed 8 --timeout nan", 64, "'nan': expected seconds, more than 0"),
        ("top --interval x", 64, "'x': expected seconds, more than 0"),
        ("top --interval 0.01", 64, "expected 0.1 seconds or more"),
        ("-c /etc/postfix ping", 64, "-c DIR stands behind the verb"),
        ("lookup smtpd no-such-id", 1, "no session is saved under that id"),
        ("delete smtpd no-such-id", 1, "no session is saved under that id"),
        (f"tktkey {'00' * 16}", 1, "there is no such key; tlsmgr keys lists"),
        ("lookup lmtp id", 65, "this cache is not enabled, as main.cf names no database"),
    ],
)
def test_a_wrong_or_vain_question_is_told_in_words(served: Sandbox, line: str, code: int, said: str) -> None:
    """On standard error, with the exit code that is documented."""
    done = served.command(*line.split())

    assert (done.returncode, done.stdout) == (code, b"")
    assert said in done.stderr.decode()


def test_a_session_that_is_too_large_names_the_limit(served: Sandbox) -> None:
    """Rather than a connection that the server ended."""
    done = served.command("update", "smtpd", "id", stdin=bytes(65536))

    assert done.returncode == ExitCode.REFUSED
    assert b"tlsmgr_request_size_limit is 65536" in done.stderr


@pytest.mark.parametrize("verb", ["ping", "stats", "list", "keys", "config", "doctor", "top --once"])
@pytest.mark.parametrize("output", [">&-", "> /dev/full", "| head -n 1"])
def test_an_output_that_takes_nothing_is_no_traceback(served: Sandbox, verb: str, output: str) -> None:
    """Closed, on a full disk, or a pipe whose reader has seen enough."""
    done = _run(served, f"tlsmgr {verb} {output}")

    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    if "full" in output:
        assert (done.returncode, b"No space left on device" in done.stderr) == (ExitCode.HOST, True)


def test_a_script_for_cron_whose_output_takes_nothing(served: Sandbox) -> None:
    """As with the command."""
    done = _run(served, "daily-report > /dev/full")

    assert (done.returncode, done.stderr) == (
        ExitCode.HOST,
        b"daily-report: cannot write the output: No space left on device\n",
    )


@pytest.mark.parametrize("verb", ["stats", "list", "keys", "doctor"])
def test_each_line_of_json_is_an_object(served: Sandbox, verb: str) -> None:
    """Also with ids that are no UTF-8."""
    done = served.command(verb, "--json")

    assert all(isinstance(json.loads(line), dict) for line in done.stdout.splitlines())
    if verb == "list":
        assert [json.loads(line)["id_hex"] for line in done.stdout.splitlines()] == [_ODD_ID.hex()]


def test_an_odd_id_is_shown_and_taken(served: Sandbox) -> None:
    """Nothing of it reaches the terminal as it is, and the command line has it byte for byte."""
    shown = served.command("list").stdout
    assert rb"\xff\xfe\x01odd" in shown
    found = subprocess.run(  # noqa: S603 - our own command
        [COMMANDS / "tlsmgr", "lookup", "--raw", "smtp", _ODD_ID],
        env=served.environment,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert found.stdout == b"session"


def test_a_screen_for_a_narrow_terminal_is_not_cut(served: Sandbox) -> None:
    """Its lines are folded by the terminal, and can be read."""
    done = _run(served, "COLUMNS=40 tlsmgr top --once")

    assert b"expiry-sweeper  answers" in done.stdout


def test_stopped_workers_are_told_with_what_to_do_next(sandbox: Sandbox) -> None:
    """By the verbs that need them, and by top in its own words."""
    for verb in ("keys", "sweep", "revoke", "seed 8"):
        done = sandbox.command(*verb.split())
        assert done.returncode == ExitCode.UNAVAILABLE
        assert done.stderr.endswith(b"; see: tlsmgr doctor\n")
    assert sandbox.command("top", "--once").stdout.count(b"not running") == len(WORKERS)
    assert b"[Errno" not in sandbox.command("doctor").stdout


def test_a_supervisord_that_cannot_be_asked_is_one_line(sandbox: Sandbox) -> None:
    """Whatever file it is said to be in."""
    lines = sandbox.command("doctor", "-q", "-s", "/etc/passwd").stdout.decode().splitlines()

    (line,) = [each for each in lines if "supervisord:" in each]
    assert line.endswith("name its supervisord.conf with -s")
    assert all(each.startswith(("FAILED", "WARNING")) for each in lines)


def test_run_says_which_directory_has_no_main_cf(sandbox: Sandbox) -> None:
    """Before anything is started."""
    done = _run(sandbox, f"MAIL_CONFIG={sandbox.root}/missing {CHECKOUT}/scripts/run")

    assert done.returncode == ExitCode.CONFIGURATION
    assert b"no main.cf there that can be read" in done.stderr
