"""The verbs about session ticket keys."""

import json
import struct

import pytest

from rehearsal.sandbox import Sandbox
from tlsmgr.errors import ExitCode


def _explained(sandbox: Sandbox, name: bytes) -> tuple[int, str]:
    done = sandbox.command("explain", name.hex())
    return done.returncode, done.stdout.decode()


def _key(sandbox: Sandbox) -> bytes:
    with sandbox.client() as client:
        key = client.ticket_key()
        assert key is not None
        return key


def test_keys_has_names_states_and_times_and_no_secret(sandbox: Sandbox) -> None:
    """The current key and the one before it."""
    sandbox.start("cache-server")
    assert sandbox.command("keys").stdout.startswith(b"no ticket keys yet")
    first = _key(sandbox)
    with sandbox.client() as client:
        client.call("rotate")
    second = _key(sandbox)

    done = sandbox.command("keys")
    listed = [json.loads(line) for line in sandbox.command("keys", "--json").stdout.splitlines()]

    assert [(key["name"], key["state"]) for key in listed] == [
        (second[:16].hex(), "current"),
        (first[:16].hex(), "previous"),
    ]
    assert listed[0]["encrypts_until"] == struct.unpack("@q", second[80:])[0]
    assert listed[0]["decrypts_until"] == listed[0]["encrypts_until"] + 1800
    head, *rows = done.stdout.decode().splitlines()
    assert head.split() == ["NAME", "STATE", "ENCRYPTS", "DECRYPTS"]
    assert [row.split()[0] for row in rows] == [second[:16].hex(), first[:16].hex()]
    for secret in (first[16:48], second[48:80]):
        assert secret.hex() not in done.stdout.decode() + json.dumps(listed)


def test_explain_follows_a_key_through_its_life(sandbox: Sandbox) -> None:
    """Current, previous, replaced; and revoked; and unknown to a server that never had it."""
    sandbox.start("prng-server")
    sandbox.start("cache-server")
    names = [_key(sandbox)[:16]]
    told = [_explained(sandbox, names[0])]
    for _ in range(2):
        with sandbox.client() as client:
            client.call("rotate")
        names.append(_key(sandbox)[:16])
        told.append(_explained(sandbox, names[0]))
    sandbox.command("revoke")

    assert [code for code, _ in told] == [ExitCode.OK, ExitCode.OK, ExitCode.NOT_DONE]
    assert [text[: text.index(" ", 8)] for _, text in told]
    assert told[0][1].startswith("yes: this is the current key")
    assert told[1][1].startswith("yes: this is the key before")
    assert told[2][1].startswith("no: newer keys took its place")
    code, text = _explained(sandbox, names[2])
    assert (code, text[:20]) == (ExitCode.NOT_DONE, "no: it was revoked a")
    code, text = _explained(sandbox, bytes(16))
    assert code == ExitCode.NOT_DONE
    assert "knows of no key of this name" in text


def test_explain_knows_keys_of_before_a_restart(sandbox: Sandbox) -> None:
    """Why they left; and that those in use were lost when both workers ended that can open them."""
    workers = [sandbox.start(name) for name in ("prng-server", "cache-server")]
    first = _key(sandbox)[:16]
    sandbox.command("revoke")
    second = _key(sandbox)[:16]
    for worker in workers:
        worker.kill()

    for name in ("prng-server", "cache-server"):
        sandbox.start(name)

    assert _explained(sandbox, first)[1].startswith("no: it was revoked at")
    code, text = _explained(sandbox, second)
    assert code == ExitCode.NOT_DONE
    assert text.startswith("no: it was lost by")
    assert "tlsmgr_sealing_key_file" in text


def test_without_tickets(sandbox: Sandbox) -> None:
    """A timeout of 0 means that there are none."""
    sandbox.configure("smtpd_tls_session_cache_timeout = 0")
    sandbox.start("cache-server")

    assert b"timeout is 0" in sandbox.command("keys").stdout
    assert _explained(sandbox, bytes(16)) == (
        ExitCode.NOT_DONE,
        "no: there are no tickets: smtpd_tls_session_cache_timeout is 0.\n",
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [("00", 64), ("zz", 64), ("00" * 16, 69), ("00:" * 15 + "00", 69), ("00 " * 7 + "00-" + "00 " * 8, 69)],
)
def test_a_name_has_sixteen_bytes_and_a_server_to_ask(sandbox: Sandbox, name: str, code: int) -> None:
    """Wrong arguments end with 64; without a server it is 69."""
    done = sandbox.command("explain", name)

    assert done.returncode == code
    assert b"Traceback" not in done.stderr
