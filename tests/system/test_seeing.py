"""What an operator sees of a Postfix that sends and takes mail through our workers."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rehearsal.directories import traversable_directory
from rehearsal.programs import program
from rehearsal.workers import Workers
from tests.system.postfix_instance import PostfixInstance, client_parameters
from tests.system.postfix_presence import require_postfix
from tests.system.starttls import Mode, resumes_twice
from tests.system.who_serves import Debian, Ours, running, workers_beside
from tlsmgr.errors import ExitCode

pytestmark = pytest.mark.system


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mail:
    """A Postfix in chroot jails that sends to another one, the workers beside it, and where it sends to."""

    sender: PostfixInstance
    workers: Workers
    port: int

    def command(self, *arguments: str) -> str:
        done = self.workers.command(*arguments)
        assert done.returncode == ExitCode.OK, f"{done.stdout}{done.stderr}{self.workers.logs()}"
        return done.stdout


@pytest.fixture(scope="module")
def mail() -> Iterator[_Mail]:
    """Run all of them."""
    require_postfix()
    with running(Debian()) as receiver, traversable_directory() as directory:
        sender = PostfixInstance(
            directory,
            chroot=True,
            tlsmgr_service_name=Ours.service_name,
            parameters=client_parameters(transport="smtp", port=receiver.port),
        )
        sender.prepare()
        with workers_beside(sender) as workers, sender:
            yield _Mail(sender=sender, workers=workers, port=receiver.port)


def test_a_destination_is_listed_and_flushed(mail: _Mail) -> None:
    """By the next hop as main.cf has it, with and without its port, and by its address."""
    mail.sender.send("recipient@example.net")
    mail.sender.await_maillog("status=sent")

    listed = [json.loads(line) for line in mail.command("list", "--cache", "smtp", "--json").splitlines()]
    names = (f"[127.0.0.1]:{mail.port}", "127.0.0.1")

    assert {entry["next_hop"] for entry in listed} == {names[0]}
    assert {entry["address"] for entry in listed} == {"127.0.0.1"}
    for name in names:
        counted = mail.command("flush", "--destination", name, "--dry-run")
        assert f"cache smtp: {len(listed)} entries would be removed" in counted
    assert "cache smtp: 0 entries" in mail.command("flush", "--destination", "127.0.0.2")
    assert f"cache smtp: {len(listed)} entries removed" in mail.command("flush", "--destination", names[0])
    assert mail.command("list", "--cache", "smtp", "--json") == ""


def test_the_key_of_a_ticket_is_explained(mail: _Mail, tmp_path: Path) -> None:
    """By the first line of the ticket, as openssl shows it."""
    resumes_twice(mail.sender.port, Mode.TICKET_1_2, tmp_path / "session")
    shown = _run_openssl("sess_id", "-in", str(tmp_path / "session"), "-noout", "-text")
    found = re.search(r"TLS session ticket:\n +0000 - ([0-9a-f -]{47}) ", shown)
    assert found, shown

    (key,) = [json.loads(line) for line in mail.command("keys", "--json").splitlines()]

    assert (key["name"], key["state"]) == (re.sub("[ -]", "", found[1]), "current")
    assert mail.command("explain", found[1]).startswith("yes: this is the current key")


def _run_openssl(*arguments: str) -> str:
    command = [str(program("openssl")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout  # noqa: S603 - ours


def test_the_doctor_finds_no_fault(mail: _Mail) -> None:
    """With Postfix in its jails, hooked up, and everything as the documents have it."""
    text = mail.command("doctor", "-s", str(mail.workers.configuration))

    assert "our socket" in text
    assert "skipped" not in text
