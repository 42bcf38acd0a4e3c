"""The test machinery itself: a private Postfix that starts, serves, stops, and leaves nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.directories import traversable_directory
from rehearsal.private_postfix import PrivatePostfix
from tests.system.postfix_instance import PostfixInstance
from tests.system.postfix_presence import require, require_postfix
from tests.system.starttls import Mode, resumes_twice

pytestmark = pytest.mark.system


@pytest.fixture
def directory() -> Iterator[Path]:
    """Give a directory for one instance, where Postfix can run."""
    require_postfix()
    with traversable_directory() as made:
        yield made


def test_sessions_are_resumed_with_debians_own_tlsmgr(directory: Path) -> None:
    """The machinery sees a resumption where everything is Debian's."""
    with PostfixInstance(directory, chroot=True) as postfix:
        made = resumes_twice(postfix.port, Mode.SESSION_ID_1_2, directory / "session")
        assert len({one.session_id for one in made}) == 1, postfix.maillog_tail()
        postfix.await_maillog("lookup smtpd session id=", count=2)


def test_stop_leaves_no_process(directory: Path) -> None:
    """After the block, even one that failed, no process is left, and another stop does nothing."""
    postfix = PostfixInstance(directory)
    with pytest.raises(ZeroDivisionError, match="on purpose"), postfix:
        _fail_with_processes_of(postfix)
    postfix.stop()
    assert not _processes_in(postfix.queue_directory)


def test_a_bad_configuration_is_told_in_postfix_own_words(directory: Path) -> None:
    """A start that fails says what Postfix said, and leaves no process."""
    postfix = PrivatePostfix(directory, parameters={}, services=["bad unix line"])
    with pytest.raises(AssertionError, match="bad field count"):
        postfix.start()
    postfix.stop()
    assert not _processes_in(postfix.queue_directory)


def test_a_line_that_does_not_come_is_told_with_the_log(directory: Path) -> None:
    """A failed wait shows the end of the log."""
    with PrivatePostfix(directory, parameters={}, services=[]) as postfix:
        postfix.await_maillog("daemon started")
        with pytest.raises(AssertionError, match="daemon started"):
            postfix.await_maillog("this is never logged", seconds=0)


def test_too_long_a_socket_path_is_told(tmp_path: Path) -> None:
    """The limit of a UNIX socket's path shows here, not as a strange error in Postfix."""
    postfix = PrivatePostfix(tmp_path / ("d" * 100), parameters={}, services=[])
    with pytest.raises(AssertionError, match="too long for a UNIX socket"):
        postfix.socket_path("tlsmgr")


def test_a_missing_postfix_fails_unless_the_environment_allows_it() -> None:
    """Nothing is skipped silently."""
    require(None, environment={})
    with pytest.raises(pytest.fail.Exception, match="no postfix"):
        require("no postfix", environment={})
    with pytest.raises(pytest.skip.Exception, match="no postfix"):
        require("no postfix", environment={"TLSMGR_TESTS_WITHOUT_POSTFIX": "1"})


def _fail_with_processes_of(postfix: PostfixInstance) -> None:
    assert _processes_in(postfix.queue_directory)
    raise ZeroDivisionError("on purpose")


def _processes_in(queue_directory: Path) -> list[str]:
    """Return the processes whose working directory is the queue, as all of Postfix's daemons' is."""
    return [
        path.name
        for path in Path("/proc").glob("[0-9]*")
        if _working_directory(path).startswith(str(queue_directory))
    ]


def _working_directory(process: Path) -> str:
    try:
        return str((process / "cwd").readlink())
    except (FileNotFoundError, PermissionError):
        return ""  # it ended meanwhile, or is one that even root may not look at: none of ours
