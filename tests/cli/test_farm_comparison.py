"""``tlsmgr farm describe`` and ``farm check``."""

import json
import os
import stat
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from rehearsal.checkout import COMMANDS
from rehearsal.sandbox import Sandbox
from tlsmgr.errors import ExitCode
from tlsmgr.farm.description import HostDescription
from tlsmgr.messages import CacheType

_SSH = """\
#!/bin/sh
# Stands in for ssh: knows one host, and runs the command here.
while [ "$1" != -- ]; do shift; done
shift
host=$1
shift
if [ "$host" != mx2.example.com ]; then
    echo "ssh: Could not resolve hostname $host" >&2
    exit 255
fi
exec "$@"
"""


def _described(sandbox: Sandbox) -> HostDescription:
    done = sandbox.command("farm", "describe")
    assert done.returncode == 0, done.stderr
    return HostDescription.from_json(done.stdout.decode())


def _checked(sandbox: Sandbox, *others: str, stdin: bytes = b"") -> tuple[int, str]:
    done = sandbox.command("farm", "check", *others, stdin=stdin)
    return done.returncode, (done.stdout + done.stderr).decode()


def test_a_description_is_what_the_running_host_is_like(sandbox: Sandbox) -> None:
    """Its keys by name, its caches, the OpenSSL that its sessions were made with; no secret."""
    sandbox.start("cache-server")
    with sandbox.client() as client:
        key = client.ticket_key()
        assert key is not None
        client.update(CacheType.SMTPD, b"0123ABCD&s=smtp&l=805306640", b"a session")

    description = _described(sandbox)

    assert [each.name for each in description.keys] == [key[:16].hex()]
    assert (description.key_source, description.database) == ("local", "diskcache")
    assert (description.timeout, description.openssl) == (3600, 805306640)
    text = description.as_json()
    assert key[16:48].hex() not in text
    assert key[48:80].hex() not in text
    assert "session" not in json.loads(text)["keys"][0]


def test_a_stopped_host_describes_what_it_is_configured_to_be(sandbox: Sandbox) -> None:
    """Without keys, which only the cache server has."""
    description = _described(sandbox)
    assert (description.timeout, description.keys, description.openssl) == (3600, (), 0)


def test_check_compares_files_and_says_what_to_do(sandbox: Sandbox, tmp_path: Path) -> None:
    """One line an obstacle, and exit code 1 when one is certain."""
    sandbox.start("cache-server")
    file = tmp_path / "mx2.json"
    file.write_text(json.dumps({**json.loads(_described(sandbox).as_json()), "host": "mx2", "timeout": 7200}))

    code, said = _checked(sandbox, str(file))

    assert code == ExitCode.NOT_DONE
    lines = said.splitlines()
    assert "mx2: KEPT APART: sessions: smtpd_tls_session_cache_timeout: 3600s here, 7200s there" in lines[0]
    assert all(" -> " in line for line in lines)
    assert (code, said) == _checked(sandbox, "-", stdin=file.read_bytes())


def test_nothing_in_a_description_acts_on_a_terminal(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whoever wrote it: escapes stand in its place."""
    file = tmp_path / "mx2.json"
    evil = {"host": "\x1b]0;mx2\x07", "key_source": "\x1b[2J\u202e", "key_trouble": "\ud800\n"}
    file.write_text(json.dumps({**json.loads(_described(sandbox).as_json()), **evil}))
    code, said = _checked(sandbox, str(file))
    assert code == ExitCode.NOT_DONE
    assert "\\x1b]0;mx2\\x07: " in said
    assert "\\x1b[2J\\x202e" in said
    assert all(each.isprintable() for line in said.splitlines() for each in line)


def test_check_asks_a_host_over_ssh(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never interactively; one that cannot be reached is named, and the others are compared all the same."""
    ssh = tmp_path / "ssh"
    ssh.write_text(_SSH)
    ssh.chmod(ssh.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), str(_commands(sandbox)), os.environ["PATH"]]))
    sandbox.start("cache-server")

    code, said = _checked(sandbox, "--", "mx3.example.com", "mx2.example.com", "-oProxyCommand=x")

    assert code != ExitCode.OK
    assert "mx3.example.com: ssh mx3.example.com tlsmgr farm describe: ssh: Could not resolve" in said
    assert "each host makes its own ticket keys" in said
    assert "clocks" not in said
    assert "-oProxyCommand=x: a host's name does not begin with a hyphen" in said


@pytest.mark.parametrize(
    "text", ["", "{}", '{"format": 1}', '{"format": 2}', "[]", '{"format": 1, "host": 5}']
)
def test_check_refuses_what_is_no_description(sandbox: Sandbox, text: str) -> None:
    """With a line that says what was expected, and no traceback."""
    code, said = _checked(sandbox, "-", stdin=text.encode())
    assert code == ExitCode.REFUSED
    assert "description of a host" in said
    assert "Traceback" not in said


def test_wrong_words_are_a_usage_error(sandbox: Sandbox) -> None:
    """As with any other verb."""
    for words in (("check",), ("describe", "mx2"), ("no-such-action",), ()):
        done: CompletedProcess[bytes] = sandbox.command("farm", *words)
        assert done.returncode == ExitCode.USAGE, words


def test_a_file_that_cannot_be_read_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    """With the reason."""
    missing = tmp_path / "missing.json"
    assert _checked(sandbox, str(missing)) == (
        ExitCode.HOST,
        f"tlsmgr: {missing}: cannot read {missing}: No such file or directory\n",
    )


def _commands(sandbox: Sandbox) -> Path:
    """Return a directory with the command ``tlsmgr``, as it is on a host that is asked over ssh."""
    directory = sandbox.root / "bin"
    directory.mkdir()
    command = directory / "tlsmgr"
    command.write_text(f'#!/bin/sh\nexec {COMMANDS}/tlsmgr "$@"\n')
    command.chmod(0o755)
    return directory
