"""A worker's life: configured, unprivileged, serving, drained.

Signals only set flags; the stages below do the work. The first SIGTERM or SIGINT
drains, a second one ends at once. SIGHUP reads the configuration again.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import uvloop

from tlsmgr.config.settings import Settings
from tlsmgr.errors import ConfigurationError, ExitCode, HostError, TlsmgrError
from tlsmgr.occasional_log import OccasionalLog
from tlsmgr.processes.crash_record import CrashRecord
from tlsmgr.processes.directories import check_directories
from tlsmgr.processes.logs import log_to
from tlsmgr.processes.pid_file import PidFile
from tlsmgr.processes.private_directory import check_private, make_private_directory
from tlsmgr.processes.privileges import (
    Parent,
    act_as,
    allow_all_descriptors,
    become,
    enter_jail,
    forbid_core_dumps,
)
from tlsmgr.processes.users import check_users
from tlsmgr.processes.watchdog import Watchdog

_log = logging.getLogger(__name__)

#: ``startsecs`` in supervisord.conf. An exit before that counts as a failed start,
#: which supervisord tries again whatever the exit code says.
SUPERVISOR_START_SECONDS = 1.0
#: Seconds in which every request that was read is answered; ``stopwaitsecs`` is longer.
DRAIN_SECONDS = 5.0
_LOOK_SECONDS = 1.0

LoadSettings = Callable[[], Settings]

# What a running worker cannot change: where its sockets and files are, and as whom it runs.
_FIXED_WHILE_RUNNING = (
    "daemon_timeout",
    "data_directory",
    "mail_owner",
    "queue_directory",
    "tls_random_exchange_name",
    "tls_random_source",
    "tlsmgr_farm_secret_file",
    "tlsmgr_redis_credentials_file",
    "tlsmgr_run_directory",
    "tlsmgr_sealing_key_file",
    "tlsmgr_service_name",
)


class Worker(Protocol):
    """What differs between the three processes."""

    def open_privileged(self) -> None:
        """Open what only root can open; called before root's rights are given up."""

    async def start(self) -> None:
        """Open stores and sockets, and serve; returns when requests are answered."""

    def reconfigure(self, settings: Settings) -> None:
        """Go on with other parameters, without dropping a connection.

        Raises:
            TlsmgrError: They cannot be used; nothing was changed then.
        """

    def enter_jail(self, root: Path) -> None:
        """Get ready for paths that begin at ``root``."""

    async def stop(self, deadline: float) -> None:
        """Answer what was read, save what must be saved, close; within ``deadline`` seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerKind:
    """A process of the group ``tlsmgr``: its name, and how to make its worker."""

    name: str
    make: Callable[[Settings], Worker]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOptions:
    """The options of master(5) for daemons, as far as they make sense under supervisord.

    ``chroot`` (-c): to the queue directory, once everything is open. ``verbosity``: how
    often -v was given. ``logs_to_stderr`` (-V): also when there is a syslog socket.
    ``supervisor``: the supervisord that this process must not outlive; found by ``run``.
    """

    chroot: bool = False
    verbosity: int = 0
    logs_to_stderr: bool = False
    supervisor: Parent | None = None


def run(kind: WorkerKind, load: LoadSettings, launch: LaunchOptions) -> ExitCode:
    """Live a worker's whole life; return what the process is to exit with.

    Args:
        kind: Which worker.
        load: Reads the configuration; called at the start and at every SIGHUP.
        launch: What the command line asks for.
    """
    started = time.monotonic()
    # Until it is handled, a SIGHUP would end the process; what it asks for is being done.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    launch = replace(launch, supervisor=Parent() if "SUPERVISOR_ENABLED" in os.environ else None)
    try:
        settings = load()
    except TlsmgrError as error:
        log_to(f"tlsmgr/{kind.name}", "mail", to_stderr=True)
        return _give_up(error, started, is_supervised=launch.supervisor is not None)
    _set_log(settings, launch)
    try:
        _live(kind, settings, load, launch)
    except TlsmgrError as error:
        return _give_up(error, started, is_supervised=launch.supervisor is not None)
    return ExitCode.OK


def _give_up(error: TlsmgrError, started: float, *, is_supervised: bool) -> ExitCode:
    _log.critical("%s", error)
    if isinstance(error, ConfigurationError) and is_supervised:
        # Nothing but an edit helps: outlive startsecs, so that the exit code is looked at.
        time.sleep(max(0.0, started + SUPERVISOR_START_SECONDS + 0.5 - time.monotonic()))
    return error.exit_code


def _set_log(settings: Settings, launch: LaunchOptions) -> None:
    log_to(
        f"{settings.syslog_name}/{settings.process_name}",
        settings.syslog_facility,
        verbosity=launch.verbosity,
        to_stderr=launch.logs_to_stderr,
    )


def _live(kind: WorkerKind, settings: Settings, load: LoadSettings, launch: LaunchOptions) -> None:
    for warning in settings.warnings:
        _log.warning("%s", warning)
    check_users(settings)
    check_directories(settings)
    os.umask(0o077)
    forbid_core_dumps()  # before there is a key
    allow_all_descriptors()
    worker = kind.make(settings)
    worker.open_privileged()
    if launch.chroot:
        act_as(settings.mail_owner)
    else:
        become(settings.mail_owner)
    _after_change_of_user(launch)
    directory = settings.tlsmgr_run_directory
    make_private_directory(directory)
    pid_file = PidFile.claim(directory / f"{kind.name}.pid")
    try:
        with CrashRecord.begin(directory, kind.name, counts_from=SUPERVISOR_START_SECONDS):
            uvloop.run(_serve(kind, worker, settings, load, launch, pid_file))
    finally:
        pid_file.release()


def _after_change_of_user(launch: LaunchOptions) -> None:
    # At which the kernel forgets both.
    forbid_core_dumps()
    if launch.supervisor is not None:
        # A supervisord that was killed is started again, and starts workers: none may be in their way.
        launch.supervisor.end_with_it()


async def _serve(
    kind: WorkerKind,
    worker: Worker,
    settings: Settings,
    load: LoadSettings,
    launch: LaunchOptions,
    pid_file: PidFile,
) -> None:
    stopping = asyncio.Event()
    watchdog = Watchdog(settings.daemon_timeout)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_stop_signal, stopping)
    claiming = None if launch.chroot else asyncio.ensure_future(_stay_claimed(pid_file))
    try:
        await worker.start()
        loop.add_signal_handler(signal.SIGHUP, _reload, worker, settings, load, launch)
        if launch.chroot:
            worker.enter_jail(settings.queue_directory)
            enter_jail(settings.queue_directory, settings.mail_owner)
            _after_change_of_user(launch)
            loop.add_signal_handler(signal.SIGHUP, _keep_configuration, kind.name)
        _spare_the_collector()
        _log.info("%s is ready", kind.name)
        await stopping.wait()
    finally:
        if claiming is not None:  # from inside of a jail there is no looking
            claiming.cancel()
        await worker.stop(DRAIN_SECONDS)
        watchdog.stop()
    _log.info("%s has stopped", kind.name)


async def _stay_claimed(pid_file: PidFile) -> None:
    """Claim the pid file again when somebody removed it: by its lock the other worker knows us."""
    trouble = OccasionalLog(_log, time.monotonic)
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            if not pid_file.is_in_place():
                check_private(pid_file.path.parent)
                pid_file.claim_anew()
                _log.warning("the pid file had gone: claimed anew")
        except HostError as error:
            trouble.warning("pid file", "the pid file has gone: %s", error, cause=str(error))


def _spare_the_collector() -> None:
    # A full collection of what was imported holds the event loop for 10 ms; nothing of it is garbage.
    gc.collect()
    gc.freeze()


def _on_stop_signal(stopping: asyncio.Event) -> None:
    if stopping.is_set():
        _log.warning("ending at once: second signal")
        sys.stderr.flush()
        os._exit(ExitCode.OK)
    stopping.set()


def _keep_configuration(name: str) -> None:
    # A descriptor of the configuration's directory would help, and would lead out of the jail.
    _log.warning(
        "SIGHUP changes nothing in the chroot jail, from where main.cf cannot be read:"
        " going on with the former configuration; to use another one: supervisorctl restart tlsmgr:%s",
        name,
    )


def _reload(worker: Worker, started_with: Settings, load: LoadSettings, launch: LaunchOptions) -> None:
    try:
        settings = load()
        check_users(settings)
        former = {name: getattr(started_with, name) for name in _FIXED_WHILE_RUNNING}
        usable = replace(settings, **former)
        check_directories(usable)
        worker.reconfigure(usable)
    except TlsmgrError as error:
        _log.error("keeping the former configuration: %s", error)
        return
    _set_log(settings, launch)
    for warning in settings.warnings:
        _log.warning("%s", warning)
    for name in _FIXED_WHILE_RUNNING:
        if getattr(settings, name) != former[name]:
            _log.warning("the new value of %s takes effect when this process is restarted", name)
    _log.info("configuration read again")
