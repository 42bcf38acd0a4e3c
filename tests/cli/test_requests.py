"""The verbs that ask the cache server, run as the command that they are."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from rehearsal.sandbox import Sandbox
from tlsmgr.errors import ExitCode

_SESSION = bytes(range(256))


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    """Give a sandbox in which the cache server and the PRNG server run; lmtp has no cache."""
    with Sandbox() as made:
        made.configure("lmtp_tls_session_cache_database =")
        made.start("prng-server")
        made.start("cache-server")
        yield made


def test_a_session_is_saved_found_removed(served: Sandbox) -> None:
    """Update reads the session from standard input; lookup prints it in base64, or as it is."""
    saved = served.command("update", "smtpd", "an id", stdin=_SESSION)
    found = served.command("lookup", "smtpd", "an id")
    raw = served.command("lookup", "--raw", "smtpd", "an id")
    deleted = served.command("delete", "smtpd", "an id")
    again = served.command("lookup", "smtpd", "an id")

    assert (saved.returncode, saved.stdout) == (ExitCode.OK, b"")
    assert (found.returncode, found.stdout) == (ExitCode.OK, base64.b64encode(_SESSION) + b"\n")
    assert (raw.returncode, raw.stdout) == (ExitCode.OK, _SESSION)
    assert (deleted.returncode, deleted.stdout) == (ExitCode.OK, b"")
    assert (again.returncode, again.stdout) == (ExitCode.NOT_DONE, b"")


def test_an_empty_session_is_one(served: Sandbox) -> None:
    """A session of no bytes is saved and found."""
    assert served.command("update", "smtp", "empty").returncode == ExitCode.OK
    found = served.command("lookup", "--raw", "smtp", "empty")

    assert (found.returncode, found.stdout) == (ExitCode.OK, b"")


def test_seed(served: Sandbox) -> None:
    """Seed prints as many random bytes as asked for."""
    encoded = served.command("seed", "32")
    raw = served.command("seed", "--raw", "255")

    assert len(base64.b64decode(encoded.stdout, validate=False)) == 32
    assert len(raw.stdout) == 255


def test_ticket_key(served: Sandbox) -> None:
    """Tktkey prints the current key, and the same one by its name."""
    key = served.command("tktkey", "--raw").stdout

    named = served.command("tktkey", "--raw", key[:16].hex())
    unknown = served.command("tktkey", "00" * 16)

    assert len(key) == 88
    assert named.stdout == key
    assert unknown.returncode == ExitCode.NOT_DONE


def test_policy(served: Sandbox) -> None:
    """Policy says whether there is a cache, and its timeout; that there is none is an answer too."""
    enabled = served.command("policy", "smtpd")
    disabled = served.command("policy", "lmtp")

    assert (enabled.returncode, enabled.stdout) == (ExitCode.OK, b"cachable = yes\ntimeout = 3600s\n")
    assert (disabled.returncode, disabled.stdout) == (ExitCode.OK, b"cachable = no\ntimeout = 3600s\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("seed", "0"), ExitCode.REFUSED),
        (("seed", "256"), ExitCode.REFUSED),
        (("tktkey", "00"), ExitCode.REFUSED),
        (("lookup", "lmtp", "x"), ExitCode.REFUSED),
        (("update", "lmtp", "x"), ExitCode.REFUSED),
        (("delete", "lmtp", "x"), ExitCode.REFUSED),
        (("delete", "smtpd", "nothing"), ExitCode.NOT_DONE),
        (("seed", "many"), ExitCode.USAGE),
        (("tktkey", "zz"), ExitCode.USAGE),
        (("policy", "imap"), ExitCode.USAGE),
        (("lookup", "smtpd"), ExitCode.USAGE),
        (("nonsense",), ExitCode.USAGE),
        ((), ExitCode.USAGE),
    ],
)
def test_exit_codes(served: Sandbox, arguments: tuple[str, ...], code: ExitCode) -> None:
    """Refused is 65, not done 1, wrong arguments 64; there is no output, and no traceback."""
    done = served.command(*arguments)

    assert done.returncode == code
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr


_ASKING = (
    ("seed", "8"),
    ("policy", "smtpd"),
    ("lookup", "smtpd", "x"),
    ("update", "smtpd", "x"),
    ("delete", "smtpd", "x"),
    ("tktkey",),
    ("stats",),
    ("sweep",),
    ("ping", "-q"),
)


@pytest.mark.parametrize("arguments", _ASKING, ids=" ".join)
def test_nobody_answers(sandbox: Sandbox, arguments: tuple[str, ...]) -> None:
    """Without a server every verb that asks ends with 69, and all but a quiet one name the socket."""
    done = sandbox.command(*arguments)

    assert done.returncode == ExitCode.UNAVAILABLE
    assert (b".sock" in done.stderr) == ("-q" not in arguments)


@pytest.mark.parametrize("verb", ["seed", "config", "ping"])
def test_a_bad_configuration(sandbox: Sandbox, verb: str) -> None:
    """A bad main.cf ends any verb with 78, and is named."""
    sandbox.configure("tls_random_bytes = many")

    done = sandbox.command(verb, *(["8"] if verb == "seed" else []))

    assert done.returncode == ExitCode.CONFIGURATION
    assert f"{sandbox.main_cf}:".encode() in done.stderr


def test_many_at_once(served: Sandbox) -> None:
    """Commands that run side by side each get their own answer."""
    names = [f"id-{number}" for number in range(6)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: served.command("update", "smtpd", name, stdin=name.encode()), names))
        found = list(pool.map(partial(served.command, "lookup", "--raw", "smtpd"), names))

    assert [done.stdout.decode() for done in found] == names
