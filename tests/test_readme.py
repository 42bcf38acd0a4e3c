"""README.md: every command in it does what it says."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rehearsal.directories import traversable_directory
from rehearsal.private_postfix import PrivatePostfix
from rehearsal.waiting import wait_for
from tests.system.postfix_presence import require_postfix
from tlsmgr.config.parameters import PARAMETERS

CHECKOUT = Path(__file__).parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- test: ([^>]*?) -->\n```sh\n(.*?)```", re.DOTALL)
COMMAND_SECONDS = 60
READY_SECONDS = 60.0


def blocks(kind: str) -> list[str]:
    """Return the shell blocks marked with ``kind``, in their order."""
    return [text for marker, text in BLOCK.findall(README) if marker == kind]


@contextmanager
def copy_of_checkout() -> Iterator[Path]:
    """Give a checkout of its own, with the same virtual environment, so that var/ is not shared."""
    # Were it out of date, the copy's scripts would install the copy into it.
    subprocess.run([CHECKOUT / "scripts" / "venv", "run"], check=True, timeout=300)  # noqa: S603 - ours
    with traversable_directory() as directory:
        copy = directory / "t"
        kept_out = shutil.ignore_patterns("var", ".venv", ".git", "tests", "*_cache", ".hypothesis")
        shutil.copytree(CHECKOUT, copy, ignore=kept_out)
        (copy / ".venv").symlink_to(CHECKOUT / ".venv")
        yield copy


@contextmanager
def running(command: str, directory: Path) -> Iterator[None]:
    """Run what the README says stays in the foreground, until the block ends."""
    environment = {name: value for name, value in os.environ.items() if name != "MAIL_CONFIG"}
    output = directory / "output"
    with output.open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - the README's own commands
            [
                "/bin/bash",
                "-ec",
                f"{command.replace('scripts/run', 'exec scripts/run')}",
            ],
            cwd=directory,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(
            "word that the workers are ready",
            lambda: "tlsmgr is ready" in output.read_text(),
            seconds=READY_SECONDS,
            evidence=output.read_text,
        )
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(COMMAND_SECONDS) == 0, output.read_text()


def carry_out(block: str, directory: Path) -> str:
    """Run one block as a person would, and return what it printed."""
    done = subprocess.run(  # noqa: S603 - the README's own commands
        [
            "/bin/bash",
            "-euo",
            "pipefail",
            "-c",
            block,
        ],
        check=False,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_shell_block_is_marked_for_a_test() -> None:
    """No command stands in the README that nothing runs."""
    assert README.count("```sh\n") == len(BLOCK.findall(README))
    known = {"background", "sandbox", "postfix", "postfix background"}
    assert {kind for kind, _ in BLOCK.findall(README)} <= known | {"is the command that runs this test"}


@pytest.mark.system
def test_commands_for_the_sandbox_work() -> None:
    """The newcomer's commands work one after the other, and the Python example too."""
    python = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    with copy_of_checkout() as checkout, running(blocks("background")[0], checkout):
        printed = [carry_out(block, checkout) for block in blocks("sandbox")]
        assert "any bytes" in printed[0]
        assert "RUNNING" in printed[1]
        wait_for(
            "answer from all workers after their start",
            lambda: "expiry-sweeper: answers" in carry_out(PING, checkout),
            seconds=READY_SECONDS,
        )
        (example,) = python
        check = f"{example}\nassert session == b'session bytes' and len(seed) == 32\n"
        command = [str(checkout / ".venv/bin/python"), "-c", check]
        subprocess.run(command, cwd=checkout, check=True, timeout=30)  # noqa: S603 - likewise


PING = 'MAIL_CONFIG="$PWD/var/sandbox/etc" .venv/bin/tlsmgr ping || true'


@pytest.mark.system
def test_commands_that_hook_up_postfix_work() -> None:
    """A Postfix is hooked up and let go again by the commands of the README."""
    require_postfix()
    with copy_of_checkout() as checkout, traversable_directory() as directory:
        parameters = {"smtpd_tls_session_cache_database": "btree:${data_directory}/smtpd_scache"}
        postfix = PrivatePostfix(
            directory, parameters=parameters, services=["tlsmgr unix - - n 1000? 1 tlsmgr"]
        )
        with postfix:
            naming, enabling, disabling = (
                block.replace("/etc/postfix", str(postfix.config_directory)) for block in blocks("postfix")
            )
            (start,) = (
                block.replace("/etc/postfix", str(postfix.config_directory))
                for block in blocks("postfix background")
            )
            carry_out(naming, checkout)
            with running(start, checkout):
                assert "our socket" in carry_out(enabling, checkout)
                assert "main.cf: tlsmgr_service_name" in carry_out(disabling, checkout)


def test_every_parameter_is_in_the_table_with_its_default() -> None:
    """The table of parameters is the one that the code uses."""
    for name, parameter in PARAMETERS.items():
        default = f"`{parameter.default}`" if parameter.default else ""
        assert f"| `{name}` | {default} | {parameter.help} |" in README
