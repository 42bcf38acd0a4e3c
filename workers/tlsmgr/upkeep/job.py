"""What the jobs have in common: options, the mail owner's rights, a lock, complaints, exit codes."""

import argparse
import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tlsmgr.client import Client
from tlsmgr.config.settings import Settings, load_settings
from tlsmgr.config.standard_directory import configuration_directory
from tlsmgr.errors import AddressInUseError, ExitCode, ProtocolError, ServerUnavailableError, TlsmgrError
from tlsmgr.processes.pid_file import PidFile
from tlsmgr.processes.private_directory import make_private_directory
from tlsmgr.processes.privileges import become
from tlsmgr.standard_streams import abandon_output, prepare, reason

# A sweep or a stats call waits for a loaded worker, not for a hung one.
_CALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One of the scripts.

    ``carry_out`` returns what is not well, one line each; ``add_options`` adds to ``--help`` and
    ``-c DIR``, which every job has.
    """

    name: str
    description: str
    carry_out: Callable[[Settings, argparse.Namespace], Iterable[str]]
    add_options: Callable[[argparse.ArgumentParser], None] = lambda _: None


def run(job: Job, arguments: Sequence[str] | None = None) -> int:
    """Do a job; return the exit code: 0 when all is well, and then there is no output.

    1 is for what the job itself found; the others are those of ``tlsmgr.errors.ExitCode``.

    Args:
        job: Which one.
        arguments: What follows the script's name; by default this process's.
    """
    prepare("backslashreplace")
    options = _parser(job).parse_args(arguments)
    logging.basicConfig(format=f"{job.name}: %(message)s", level=logging.WARNING)
    try:
        settings = load_settings(options.config_directory)
        become(settings.mail_owner)
        with _alone(job.name, settings.tlsmgr_run_directory):
            complaints = list(job.carry_out(settings, options))
        sys.stdout.flush()
    except TlsmgrError as error:
        sys.stderr.write(f"{job.name}: {error}\n")
        return error.exit_code
    except BrokenPipeError:
        abandon_output()
        return ExitCode.OK
    except OSError as error:
        abandon_output()
        sys.stderr.write(f"{job.name}: {reason(error)}\n")
        return ExitCode.HOST
    for complaint in complaints:
        sys.stderr.write(f"{job.name}: {complaint}\n")
    return ExitCode.NOT_DONE if complaints else ExitCode.OK


def call(settings: Settings, worker: str, method: str, timeout: float = _CALL_SECONDS) -> dict[str, object]:
    """Return a worker's answer.

    Raises:
        ServerUnavailableError: It does not answer in time, or does not run.
        ProtocolError: It refuses, or sends no map.
    """
    path = settings.tlsmgr_run_directory / f"{worker}.sock"
    with Client(path, timeout=timeout) as client:
        answer = client.call(method)
    if not isinstance(answer, dict):
        raise ProtocolError(f"{path}: the answer to {method} is no map; is it tlsmgr's?")
    return answer


def runs(settings: Settings, worker: str) -> bool:
    """Whether a worker answers.

    Raises:
        ProtocolError: Somebody else answers at its socket.
    """
    try:
        call(settings, worker, "ping")
    except ServerUnavailableError:
        return False
    return True


@contextlib.contextmanager
def in_place_of(settings: Settings, worker: str) -> Iterator[bool]:
    """Keep a worker that does not run from starting; gives False when it runs."""
    try:
        claimed = PidFile.claim(settings.tlsmgr_run_directory / f"{worker}.pid")
    except AddressInUseError:
        yield False
        return
    try:
        yield True
    finally:
        claimed.release()


@contextlib.contextmanager
def _alone(name: str, run_directory: Path) -> Iterator[None]:
    make_private_directory(run_directory)
    try:
        lock = PidFile.claim(run_directory / f"{name}.lock")
    except AddressInUseError:
        raise AddressInUseError(
            f"{run_directory}/{name}.lock: an earlier {name} is still at work; its pid is in that file"
        ) from None
    try:
        yield
    finally:
        lock.release()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(ExitCode.USAGE, f"{self.prog}: {message}\n")


def _parser(job: Job) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=job.name,
        description=job.description,
        epilog="Exits with 0 and says nothing when all is well.",
    )
    parser.add_argument(
        "-c",
        dest="config_directory",
        metavar="DIR",
        type=Path,
        default=configuration_directory(),
        help="the directory with main.cf (default: $MAIL_CONFIG, or %(default)s)",
    )
    job.add_options(parser)
    return parser
