"""Nothing in the configuration, the file system, the sockets or the arguments shows a user a traceback."""

import io
import shutil
import socket
import sys
from collections.abc import Callable

import pytest

from manual.command import Argument, verbs
from rehearsal.sandbox import Sandbox
from tlsmgr.cli import main
from tlsmgr.errors import ExitCode

_WORDS = {"CACHE": "smtpd", "ID": "id", "size": "8", "KEYNAME": "00" * 16}
# They go on until somebody ends them.
_LASTING = ("serve", "top")
_DEFECTS = {ExitCode.SOFTWARE, ExitCode.HUNG}


def _no_main_cf(sandbox: Sandbox) -> None:
    sandbox.main_cf.unlink()


def _main_cf_is_a_directory(sandbox: Sandbox) -> None:
    sandbox.main_cf.unlink()
    sandbox.main_cf.mkdir()


def _main_cf_is_noise(sandbox: Sandbox) -> None:
    sandbox.main_cf.write_bytes(bytes(range(256)) * 4)


def _bad_value(sandbox: Sandbox) -> None:
    sandbox.configure("tls_random_bytes = -1")


def _no_data_directory(sandbox: Sandbox) -> None:
    shutil.rmtree(sandbox.data)


def _run_directory_is_a_file(sandbox: Sandbox) -> None:
    sandbox.run.write_text("")


def _sockets_that_nobody_serves(sandbox: Sandbox) -> None:
    sandbox.run.mkdir(mode=0o700)
    for name in ("cache-server", "prng-server", "expiry-sweeper"):
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(sandbox.socket(name)))


def _sockets_that_are_directories(sandbox: Sandbox) -> None:
    for name in ("cache-server", "prng-server", "expiry-sweeper"):
        sandbox.socket(name).mkdir(parents=True)


def _unknown_owner(sandbox: Sandbox) -> None:
    sandbox.configure("mail_owner = nobody-of-this-name")


def _a_long_path(sandbox: Sandbox) -> None:
    sandbox.configure(f"tlsmgr_run_directory = /{'x' * 300}")


_PLANTED = (
    _no_main_cf,
    _main_cf_is_a_directory,
    _main_cf_is_noise,
    _bad_value,
    _no_data_directory,
    _run_directory_is_a_file,
    _sockets_that_nobody_serves,
    _sockets_that_are_directories,
    _unknown_owner,
    _a_long_path,
)


def _sample(word: Argument) -> str:
    return word.choices[-1] if word.choices else _WORDS.get(word.value, "x")


_LINES = [
    [verb.name, *(_sample(word) for word in verb.words if not word.optional)]
    for verb in verbs()
    if verb.name not in _LASTING
]


@pytest.mark.parametrize("plant", _PLANTED, ids=lambda plant: plant.__name__.strip("_"))
def test_every_verb_says_what_is_wrong(
    sandbox: Sandbox, plant: Callable[[Sandbox], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In lines of its own, whatever is wrong and whether it minds that or not: no exception leaves it."""
    plant(sandbox)
    monkeypatch.setenv("MAIL_CONFIG", str(sandbox.etc))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"session")))
    for line in _LINES:
        assert main(line) in set(ExitCode) - _DEFECTS, line


@pytest.mark.parametrize("plant", _PLANTED, ids=lambda plant: plant.__name__.strip("_"))
def test_a_worker_says_what_is_wrong(sandbox: Sandbox, plant: Callable[[Sandbox], None]) -> None:
    """And ends, or serves in spite of it."""
    plant(sandbox)
    worker = sandbox.launch("expiry-sweeper")
    try:
        worker.wait_until_ready()
    except AssertionError:
        assert worker.wait() in set(ExitCode) - _DEFECTS
    assert "Traceback" not in worker.log


@pytest.mark.parametrize("words", [[], ["nothing"], ["seed"], ["seed", "x"], ["lookup", "odd", "id"], ["-c"]])
def test_wrong_arguments_are_a_usage_error(sandbox: Sandbox, words: list[str]) -> None:
    """With the usage, and EX_USAGE."""
    done = sandbox.command(*words)

    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith(b"usage: tlsmgr")
