"""``tlsmgr farm new-secret``, ``export`` and ``import``, and what the cache server makes of them."""

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.checkout import COMMANDS
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tests.farm.test_secret import secret
from tlsmgr.errors import ExitCode
from tlsmgr.farm.secret import FarmSecret

# The longest that there may be: no epoch ends while a test runs.
_TIMEOUT = 8640000
_HALF = _TIMEOUT // 2
_LOCAL = (f"smtpd_tls_session_cache_timeout = {_TIMEOUT}s",)
_FARM = (*_LOCAL, "tlsmgr_ticket_key_source = ratchet:$data_directory/farm_secret")


@pytest.fixture
def farm() -> Iterator[Sandbox]:
    """Give a host of a farm that has no secret yet."""
    with Sandbox() as made:
        made.configure(*_FARM)
        yield made


def _file(farm: Sandbox) -> Path:
    return farm.data / "farm_secret"


def _present_epoch() -> int:
    return int(time.time()) // _HALF


def _made(farm: Sandbox, *options: str) -> FarmSecret:
    done = farm.command("farm", "new-secret", *options)
    assert done.returncode == ExitCode.OK, done.stderr
    return FarmSecret.from_text(done.stdout.decode())


def _imported(farm: Sandbox, made: FarmSecret) -> None:
    done = farm.command("farm", "import", stdin=made.to_text().encode())
    assert (done.returncode, done.stderr) == (ExitCode.OK, b"")
    assert made.fingerprint in done.stdout.decode()
    assert made.ratchet.chain_key.hex() not in done.stdout.decode()


def _listed(farm: Sandbox) -> list[dict[str, object]]:
    return [json.loads(line) for line in farm.command("keys", "--json").stdout.splitlines()]


def _source_of_the_first(farm: Sandbox) -> object:
    with farm.client() as client:
        client.ticket_key()
    return _listed(farm)[0].get("source")


def test_a_new_secret_goes_to_a_pipe_or_to_a_new_private_file(farm: Sandbox) -> None:
    """For the timeout in main.cf, from the epoch on that a late clock may still have, or from the next."""
    made = _made(farm)
    assert (made.ratchet.epoch_seconds, made.ratchet.epoch) == (_HALF, _present_epoch() - 1)
    assert _made(farm, "--next-epoch").ratchet.epoch == _present_epoch() + 1
    path = farm.root / "new"
    assert farm.command("farm", "new-secret", str(path)).returncode == ExitCode.OK
    assert path.stat().st_mode & 0o777 == 0o600
    assert FarmSecret.from_text(path.read_text()).fingerprint != made.fingerprint
    again = farm.command("farm", "new-secret", str(path))
    assert (again.returncode, b"is there already" in again.stderr) == (ExitCode.HOST, True)


@pytest.mark.parametrize("action", ["new-secret", "export"])
def test_no_secret_goes_to_a_terminal_or_to_a_file_that_others_may_read(farm: Sandbox, action: str) -> None:
    """A file of mode 0600 is as good as a pipe."""
    _imported(farm, _made(farm))
    ours, terminal = pty.openpty()
    readable, private = farm.root / "readable", farm.root / "private"
    readable.touch(0o644)
    readable.chmod(0o644)
    private.touch(0o600)
    codes = []
    for out in (terminal, os.open(readable, os.O_WRONLY), os.open(private, os.O_WRONLY)):
        codes.append(
            subprocess.run(  # noqa: S603 - our own command
                [COMMANDS / "tlsmgr", "farm", action],
                stdout=out,
                stderr=subprocess.PIPE,
                env=farm.environment,
                timeout=20,
                check=False,
            ).returncode
        )
        os.close(out)
    os.close(ours)
    assert codes == [ExitCode.NO_PERMISSION, ExitCode.NO_PERMISSION, ExitCode.OK]
    assert readable.read_bytes() == b""
    FarmSecret.from_text(private.read_text())


def test_an_imported_secret_is_there_with_nothing_from_before(farm: Sandbox) -> None:
    """Only with what can still be needed, however old the text is; and it can be exported again."""
    old = secret(_present_epoch() - 50, epoch_seconds=_HALF)
    _imported(farm, old)
    kept = FarmSecret.from_text(_file(farm).read_text())
    assert _present_epoch() - kept.ratchet.epoch in (1, 2)
    assert kept == old.at(old.ratchet.advanced(kept.ratchet.epoch))
    assert FarmSecret.from_text(farm.command("farm", "export").stdout.decode()) == kept


def test_a_secret_for_another_timeout_is_refused(farm: Sandbox) -> None:
    """With both figures; what was there stays."""
    _imported(farm, _made(farm))
    before = _file(farm).read_text()
    done = farm.command("farm", "import", stdin=secret(epoch_seconds=60).to_text().encode())
    assert done.returncode == ExitCode.CONFIGURATION
    assert b"smtpd_tls_session_cache_timeout = 120s, and here that is 8640000s" in done.stderr
    assert _file(farm).read_text() == before


@pytest.mark.parametrize("text", [b"", b"\xff", secret().to_text().encode()[:-9]])
def test_what_is_no_secret_is_refused(farm: Sandbox, text: bytes) -> None:
    """From standard input, and from a file."""
    path = farm.root / "text"
    path.write_bytes(text)
    path.chmod(0o600)
    for words in ((), (str(path),)):
        done = farm.command("farm", "import", *words, stdin=text)
        assert done.returncode == ExitCode.CONFIGURATION
        assert b"holds no secret of a farm" in done.stderr
    assert not _file(farm).exists()


def test_a_file_that_others_may_read_is_not_imported(farm: Sandbox) -> None:
    """They may know it by now."""
    path = farm.root / "text"
    path.write_text(_made(farm).to_text())
    path.chmod(0o644)
    done = farm.command("farm", "import", str(path))
    assert (done.returncode, b"has mode 0644" in done.stderr) == (ExitCode.CONFIGURATION, True)


def test_without_a_place_for_it_nothing_is_imported_or_exported() -> None:
    """The parameters that name one are said."""
    with Sandbox() as host:
        for action in ("import", "export"):
            done = host.command("farm", action, stdin=secret().to_text().encode())
            assert done.returncode == ExitCode.CONFIGURATION
            assert b"tlsmgr_ticket_key_source = ratchet:file, or tlsmgr_farm_secret_file" in done.stderr


def test_a_secret_that_there_is_no_room_for_is_not_left_cut(farm: Sandbox) -> None:
    """A part of it would look like a secret until somebody needs it."""
    path = farm.root / "new"
    done = subprocess.run(  # noqa: S603 - our own command
        ["prlimit", "--fsize=100", COMMANDS / "tlsmgr", "farm", "new-secret", path],  # noqa: S607 - util-linux
        capture_output=True,
        env=farm.environment,
        timeout=20,
        check=False,
    )
    assert done.returncode == ExitCode.HOST
    assert f"cannot write {path}: No space left on device" in done.stderr.decode()
    assert not path.exists()


def test_an_import_says_what_has_to_be_restarted(farm: Sandbox) -> None:
    """What seals for a shared store is read at the start only, also where it is the ratchet's file."""
    text = _made(farm).to_text().encode()
    assert b"restart" not in farm.command("farm", "import", stdin=text).stdout
    farm.configure(*_FARM, f"tlsmgr_farm_secret_file = {_file(farm)}")
    done = farm.command("farm", "import", stdin=text)
    assert (done.returncode, done.stderr) == (ExitCode.OK, b"")
    assert b"takes ticket keys from it within a second; restart it" in done.stdout


def test_an_import_warns_of_a_directory_in_which_the_file_cannot_be_replaced(farm: Sandbox) -> None:
    """The secret is there all the same."""
    directory = farm.root / "everybody's"
    directory.mkdir()
    directory.chmod(0o777)
    farm.configure(*_LOCAL, f"tlsmgr_ticket_key_source = ratchet:{directory}/farm_secret")
    done = farm.command("farm", "import", stdin=_made(farm).to_text().encode())
    assert done.returncode == ExitCode.OK
    assert f"tlsmgr: {directory} is not {farm.owner}'s alone" in done.stderr.decode()
    assert (directory / "farm_secret").exists()


def test_sighup_says_that_another_secret_for_stores_needs_a_restart(farm: Sandbox) -> None:
    """And another file with user and password too."""
    worker = farm.start("cache-server")
    farm.configure(*_FARM, "tlsmgr_farm_secret_file = /a", "tlsmgr_redis_credentials_file = /b")
    worker.signal(signal.SIGHUP)
    wait_for("the end of SIGHUP", lambda: "configuration read again" in worker.log)
    for name in ("tlsmgr_farm_secret_file", "tlsmgr_redis_credentials_file"):
        assert f"the new value of {name} takes effect when this process is restarted" in worker.log


def test_a_file_in_trouble_is_told_though_there_are_keys(farm: Sandbox) -> None:
    """By stats and doctor; and a revocation that does not reach it ends with a failure."""
    _imported(farm, _made(farm))
    farm.start("cache-server")
    _file(farm).chmod(0o644)
    _file(farm).touch()
    wait_for("the trouble", lambda: b"has mode 0644" in farm.command("stats").stdout)
    assert _source_of_the_first(farm) == "ratchet"
    assert b"has mode 0644" in farm.command("doctor", "--json").stdout
    done = farm.command("revoke")
    assert done.returncode != ExitCode.OK
    assert b"has mode 0644" in done.stdout + done.stderr


def test_a_running_cache_server_takes_an_imported_secret_over(farm: Sandbox) -> None:
    """Before, it has keys of its own; two hosts with one secret have the same."""
    farm.start("cache-server")
    assert _source_of_the_first(farm) is None
    made = _made(farm)
    _imported(farm, made)
    wait_for("the farm's keys", lambda: _source_of_the_first(farm) == "ratchet")
    with Sandbox() as other:
        other.configure(*_FARM)
        _imported(other, FarmSecret.from_text(farm.command("farm", "export").stdout.decode()))
        other.start("cache-server")
        with farm.client() as ours, other.client() as theirs:
            assert ours.ticket_key() == theirs.ticket_key()


def test_keys_and_explain_know_the_farms_keys(farm: Sandbox) -> None:
    """By epoch, state and source; the one after the next is known by its name too."""
    made = secret(_present_epoch() - 1, epoch_seconds=_HALF)
    _imported(farm, made)
    farm.start("cache-server")
    listed = _listed(farm)
    assert [each["state"] for each in listed[:2]] == ["next", "current"]
    assert {each["source"] for each in listed} == {"ratchet"}
    head = farm.command("keys").stdout.decode().splitlines()[0]
    assert head.split() == ["NAME", "STATE", "ENCRYPTS", "DECRYPTS", "EPOCH", "SOURCE"]

    def explained(ahead: int) -> tuple[int, str]:
        chain = made.ratchet.advanced(_present_epoch() + ahead)
        done = farm.command("explain", chain.key_material()[:16].hex())
        return done.returncode, done.stdout.decode()

    code, text = explained(0)
    assert code == ExitCode.OK
    assert text.startswith("yes: a key of the farm, from the ratchet, of epoch ")
    assert "which is the present one. New tickets are encrypted with it until" in text
    code, text = explained(5)
    assert code == ExitCode.NOT_DONE
    assert "5 epochs ahead. It is not the time for it on this host" in text


def test_a_host_of_a_farm_has_every_figure_of_the_ratchet(farm: Sandbox) -> None:
    """Whichever of the places of the catalog is about one."""
    _imported(farm, _made(farm))
    farm.start("cache-server")
    printed = farm.command("stats", "--prometheus", "cache-server").stdout.decode()
    assert 'tlsmgr_farm_ready{source="ratchet"} 1' in printed
    for name in ("epoch", "epoch_length_seconds", "state_age_seconds"):
        assert f"\ntlsmgr_farm_{name} " in printed
    for name in ("advances", "catch_ups", "failures", "early_tickets"):
        assert f"\ntlsmgr_farm_{name}_total 0" in printed


def test_a_rotation_or_a_revocation_says_what_a_farm_needs(farm: Sandbox) -> None:
    """One host alone can do neither for all."""
    _imported(farm, _made(farm))
    farm.start("prng-server")
    farm.start("cache-server")
    with farm.client() as client:
        rotated = client.call("rotate")
    assert isinstance(rotated, dict)
    assert "rotate by themselves" in rotated["reason"]
    done = farm.command("revoke")
    assert done.returncode == ExitCode.OK
    assert "make a new one (tlsmgr farm new-secret)" in done.stdout.decode()
    assert FarmSecret.from_text(_file(farm).read_text()).ratchet.epoch == _present_epoch() + 1
    assert _source_of_the_first(farm) == "ratchet"  # the next one's
    assert [each.get("source") for each in _listed(farm)] == ["ratchet", None]


def test_the_source_changes_at_sighup(farm: Sandbox) -> None:
    """To the farm's keys and back, without a restart."""
    _imported(farm, _made(farm))
    farm.configure(*_LOCAL)
    worker = farm.start("cache-server")
    assert _source_of_the_first(farm) is None
    farm.configure(*_FARM)
    worker.signal(signal.SIGHUP)
    wait_for("the farm's keys", lambda: _source_of_the_first(farm) == "ratchet")
    farm.configure(*_LOCAL)
    worker.signal(signal.SIGHUP)
    wait_for("its own keys", lambda: _source_of_the_first(farm) is None)


def test_what_is_wrong_is_told_by_doctor_and_stats(farm: Sandbox) -> None:
    """A secret for another timeout, and one that others may read; and when all is well again."""
    _imported(farm, _made(farm))
    farm.configure(*_FARM, "smtpd_tls_session_cache_timeout = 600s")
    worker = farm.start("cache-server")

    def checked() -> dict[str, str]:
        lines = farm.command("doctor", "--json").stdout.splitlines()
        found = [json.loads(line) for line in lines]
        return {each["name"]: each["text"] for each in found if each["name"].startswith("farm's")}

    assert "it is for smtpd_tls_session_cache_timeout = 8640000s" in checked()["farm's secret"]
    assert "set it to 8640000s" in checked()["farm's ticket keys"]
    assert b"set it to 8640000s" in farm.command("stats").stdout
    with farm.client() as client:
        assert client.ticket_key() is not None
    farm.configure(*_FARM)
    worker.signal(signal.SIGHUP)
    wait_for("the farm's keys", lambda: _source_of_the_first(farm) == "ratchet")
    assert checked()["farm's ticket keys"] == "they come from the ratchet"
    assert "at epoch" in checked()["farm's secret"]
    _file(farm).chmod(0o640)
    assert "has mode 0640" in checked()["farm's secret"]


def test_a_file_may_stand_before_or_behind_the_options(farm: Sandbox, tmp_path: Path) -> None:
    """As people write it."""
    file = tmp_path / "farm"
    for words in (("new-secret", "-c", str(farm.etc), str(file)), ("import", str(file), "-c", str(farm.etc))):
        done = farm.command("farm", *words)
        assert done.returncode == ExitCode.OK, done.stderr
    assert FarmSecret.from_text(file.read_text()) == FarmSecret.from_text(_file(farm).read_text())
    assert farm.command("farm", "describe", "-c", str(farm.etc), "word").returncode == ExitCode.USAGE
    assert farm.command("farm", "describe", "--no-such-option").returncode == ExitCode.USAGE
