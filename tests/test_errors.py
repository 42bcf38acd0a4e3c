from tlsmgr import errors
from tlsmgr.errors import ExitCode, Status, TlsmgrError


def every_error() -> list[type[TlsmgrError]]:
    """Return all error classes that the module defines."""
    return [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, TlsmgrError)
    ]


def test_the_statuses_are_postfixs() -> None:
    """tls_mgr.h numbers them so."""
    assert {status.name: int(status) for status in Status} == {"OK": 0, "NOT_DONE": -1, "FAILED": -2}


def test_every_error_answers_with_a_failing_status_and_exit_code() -> None:
    """Nobody who catches the root, or ends with it, can take an error for success."""
    for error in every_error():
        assert error.status in {Status.NOT_DONE, Status.FAILED}
        assert error.exit_code is not ExitCode.OK


def test_what_is_not_the_clients_fault_is_no_failed_request() -> None:
    """Status -2 would switch caching off in a client for good: trouble of ours is -1."""
    for error in every_error():
        if issubclass(error, errors.HostError | errors.ServerUnavailableError):
            assert error.status is Status.NOT_DONE


def test_exit_codes_are_distinct_and_no_signal() -> None:
    """A supervisor tells them apart, and from a death by signal."""
    codes = [code.value for code in ExitCode.__members__.values()]
    assert len(set(codes)) == len(codes)
    assert all(code < 128 for code in codes)
