"""docs/deployment.md: each line of its crontab does what it says, and its files are of their form."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rehearsal.checkout import CHECKOUT
from rehearsal.sandbox import Sandbox
from tests.upkeep.scripts import NAMES
from tlsmgr.errors import ExitCode

_TEXT = (CHECKOUT / "docs" / "deployment.md").read_text(encoding="utf-8")
_BLOCKS = dict(re.findall(r"<!-- test: ([^>]*?) -->\n```\w*\n(.*?)```", _TEXT, re.DOTALL))
_LINE = re.compile(r"(?P<when>(?:\S+\s+){5})(?P<user>\S+)\s+(?P<command>/opt/tlsmgr/scripts/.*)")
_TIMES = re.compile(r"(\*(/\d+)?|\d+)")
_LINES = [
    line for line in _BLOCKS["crontab"].splitlines() if not line.startswith("#") and "=" not in line[:10]
]


def _here(command: str, directory: Path) -> str:
    """Return a crontab's command with the folders of this test in place of the host's."""
    return command.replace("/opt/tlsmgr", str(CHECKOUT)).replace(
        "/var/lib/prometheus/node-exporter", str(directory)
    )


def test_the_crontab_has_every_script_at_a_proper_time() -> None:
    """Five fields, a user, a command; none is left out."""
    rows = [match for line in _LINES if (match := _LINE.fullmatch(line))]

    assert len(rows) == len(_LINES)
    assert sorted(Path(row["command"].split()[0]).name for row in rows) == sorted(NAMES)
    assert all(_TIMES.fullmatch(field) for row in rows for field in row["when"].split())


@pytest.mark.system
def test_each_line_of_the_crontab_runs(tmp_path: Path) -> None:
    """By sh, in an environment as bare as cron's, with running workers: quiet but for the report."""
    with Sandbox() as sandbox:
        for name in ("prng-server", "cache-server", "expiry-sweeper"):
            sandbox.start(name)
        said = {line: _cron(sandbox, line, tmp_path) for line in _LINES}
    assert {line for line, output in said.items() if output} == {
        line for line in _LINES if line.endswith("daily-report")
    }
    assert "tlsmgr_export_success 1" in (tmp_path / "tlsmgr.prom").read_text()


def _cron(sandbox: Sandbox, line: str, directory: Path) -> str:
    match = _LINE.fullmatch(line)
    assert match
    done = subprocess.run(  # noqa: S603 - the document's own commands
        ["/bin/sh", "-c", _here(match["command"], directory)],
        env={"PATH": "/usr/bin:/bin", "HOME": "/", "MAIL_CONFIG": str(sandbox.etc)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitCode.OK, f"{line}: {done.stdout}"
    return done.stdout


def test_the_systemd_unit_names_what_is_there(tmp_path: Path) -> None:
    """It has the sections of a service, starts our script, and does not retry what no retry helps."""
    unit = configparser.RawConfigParser(strict=True)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # as the manual of configparser has it
    unit.read_string(_BLOCKS["unit"])
    service = unit["Service"]
    codes = {ExitCode.ADDRESS_IN_USE, ExitCode.CONFIGURATION}

    assert unit.sections() == ["Unit", "Service", "Install"]
    assert (CHECKOUT / Path(service["ExecStart"]).relative_to("/opt/tlsmgr")).exists()
    assert set(map(int, service["RestartPreventExitStatus"].split())) == codes
    checker = shutil.which("systemd-analyze")
    if checker is not None:
        file = tmp_path / "tlsmgr.service"
        file.write_text(_here(_BLOCKS["unit"], tmp_path))
        done = subprocess.run(  # noqa: S603 - systemd's own checker
            [checker, "verify", file], capture_output=True, text=True, timeout=30, check=False
        )
        assert "tlsmgr.service" not in done.stderr, done.stderr


def _checked(*command: str | Path) -> None:
    """Run a checker, which is skipped where it is not installed."""
    program = shutil.which(str(command[0]), path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(  # noqa: S603 - a checker of the host's, which changes nothing but its output
        [program, *command[1:]], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_apparmor_profile_is_one(tmp_path: Path) -> None:
    """The parser makes a policy of it, which is not loaded."""
    profile = tmp_path / "tlsmgr"
    profile.write_text(_BLOCKS["apparmor"])
    _checked("apparmor_parser", "--skip-kernel-load", "--skip-cache", profile)


def test_the_selinux_module_is_one(tmp_path: Path) -> None:
    """It is compiled and packed, with no policy to check its names against."""
    source = tmp_path / "tlsmgr-local.te"
    source.write_text(_BLOCKS["selinux"])
    module, package = source.with_suffix(".mod"), source.with_suffix(".pp")
    _checked("checkmodule", "-M", "-m", "-o", module, source)
    _checked("semodule_package", "-o", package, "-m", module)
    assert package.stat().st_size > 0


def test_logrotate_takes_its_file(tmp_path: Path) -> None:
    """Where it is installed."""
    logrotate = shutil.which("logrotate")
    if logrotate is None:
        pytest.skip("logrotate is not installed")
    file = tmp_path / "tlsmgr"
    file.write_text(_BLOCKS["logrotate"])
    done = subprocess.run(  # noqa: S603 - logrotate's own check, which changes nothing
        [logrotate, "--debug", file], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
