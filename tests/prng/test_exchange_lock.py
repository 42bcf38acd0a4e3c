import fcntl
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.prng.exchange import FRESH, OLD, read_line, start, update
from tlsmgr.prng.exchange_file import ExchangeFile, ExchangeFileBusyError, lock_style


@pytest.mark.parametrize("lock", ["flock", "lockf"])
def test_a_process_that_holds_the_lock_excludes_us_at_once(path: Path, lock: str) -> None:
    """We do not wait, and go on when it is done; for each of the two lock styles."""
    path.write_bytes(OLD)
    with closing(ExchangeFile(path, lock=getattr(fcntl, lock))) as file:
        with start("postfix_turn", str(path), lock, "wait") as process:
            assert read_line(process) == "locked\n"
            with pytest.raises(ExchangeFileBusyError, match="locked by another process"):
                file.update(lambda _old: FRESH)
            assert path.read_bytes() == OLD
            process.communicate("go\n")
        assert path.read_bytes() == OLD[::-1]
        file.update(lambda old: old[::-1])
    assert path.read_bytes() == OLD


@pytest.mark.parametrize("lock", ["flock", "lockf"])
def test_our_lock_excludes_another_process(path: Path, lock: str) -> None:
    """While we read and write, nobody else does."""
    path.write_bytes(OLD)
    errors: list[str] = []

    def renew(old: bytes) -> bytes:
        with start("postfix_turn", str(path), lock, "now") as process:
            errors.append(process.communicate("go\n")[1])
        return old

    with closing(ExchangeFile(path, lock=getattr(fcntl, lock))) as file:
        file.update(renew)
    assert "BlockingIOError" in errors[0]


def test_another_process_that_waits_gets_its_turn_on_the_same_file(path: Path) -> None:
    """As Postfix, which waits for the lock with the file open: it reads what we wrote."""
    path.write_bytes(OLD)
    waiting: list[subprocess.Popen[str]] = []

    def renew(_old: bytes) -> bytes:
        waiting.append(start("postfix_turn", str(path), "flock", "wait"))
        return FRESH

    with closing(ExchangeFile(path)) as file:
        file.update(renew)
    with waiting[0] as process:
        process.communicate("go\n")
    assert path.read_bytes() == FRESH[::-1]


def test_a_file_that_postfix_has_just_made_is_kept(path: Path) -> None:
    """It is empty until Postfix has the lock: we fill that one, and Postfix goes on with it."""
    path.touch()
    with path.open("rb") as opened_by_postfix:
        assert update(path) == b""
        assert opened_by_postfix.read() == FRESH


def test_two_makers_exclude_each_other(path: Path) -> None:
    """The second finds the name of the new file locked, and tries again later."""
    with closing(ExchangeFile(path)) as first, closing(ExchangeFile(path)) as second:

        def renew(_old: bytes) -> bytes:
            with pytest.raises(ExchangeFileBusyError):
                second.update(lambda _old: OLD)
            return FRESH

        first.update(renew)
        assert path.read_bytes() == FRESH
        second.update(lambda _old: OLD)
    assert path.read_bytes() == OLD


@pytest.mark.parametrize(
    ("system", "lock"), [("Linux", fcntl.flock), ("FreeBSD", fcntl.flock), ("SunOS", fcntl.lockf)]
)
def test_the_lock_is_the_one_that_postfix_uses(system: str, lock: object) -> None:
    """Flock on Linux, the BSDs and macOS, fcntl elsewhere."""
    assert lock_style(system) is lock
