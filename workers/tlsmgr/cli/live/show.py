"""Looking at the workers again and again, and showing what came of it."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live

from tlsmgr.cli.asking import call_for_map
from tlsmgr.cli.live.figures import Comparison, Look
from tlsmgr.cli.live.keyboard import keys_pressed
from tlsmgr.cli.live.screen import draw
from tlsmgr.cli.workers import WORKERS
from tlsmgr.client import Client
from tlsmgr.errors import ExitCode, ProtocolError, ServerUnavailableError
from tlsmgr.processes.crash_record import why_given_up

_ANSWER_SECONDS = 0.5
_WIDTH = 80
_NOT_RUNNING = frozenset({os.strerror(errno.ENOENT), os.strerror(errno.ECONNREFUSED)})
_ENDING_KEYS = frozenset("qQ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Whose figures are shown: where the sockets are, what to call it, and seconds between two looks."""

    run_directory: Path
    name: str
    interval: float


def once(watched: Watched) -> ExitCode:
    """Print one screen, after one interval."""
    with _watcher(watched) as watcher:
        before = watcher.look()
        time.sleep(watched.interval)
        console = Console()
        # Cut to what is narrower, the columns would tell little: a terminal folds them.
        console.width = max(console.width, _WIDTH)
        console.print(_drawn(before, watcher.look(), watched))
    return ExitCode.OK


def live(watched: Watched) -> ExitCode:
    """Show the screen until somebody presses q or Ctrl-C."""
    console = Console()
    if not console.is_terminal:
        sys.stderr.write("tlsmgr: top needs a terminal; use top --once, or stats\n")
        return ExitCode.USAGE
    with (
        suppress(KeyboardInterrupt),
        _watcher(watched) as watcher,
        keys_pressed() as keyboard,
        Live(console=console, screen=True, auto_refresh=False) as screen,
    ):
        before = after = watcher.look()
        while True:
            screen.update(_drawn(before, after, watched), refresh=True)
            if _ENDING_KEYS & set(keyboard.wait(watched.interval)):
                break
            before, after = after, watcher.look()
    return ExitCode.OK


@contextmanager
def _watcher(watched: Watched) -> Iterator["Watcher"]:
    with ExitStack() as stack:
        yield Watcher(watched.run_directory, stack)


class Watcher:
    """Asks all workers, over connections that it keeps.

    Args:
        run_directory: Where their sockets are.
        stack: Closes the connections.
    """

    def __init__(self, run_directory: Path, stack: ExitStack) -> None:
        self._run_directory = run_directory
        self._clients = {
            worker: stack.enter_context(Client(run_directory / f"{worker}.sock", timeout=_ANSWER_SECONDS))
            for worker in WORKERS
        }

    def look(self) -> Look:
        """Return what they say now; who does not answer holds it up for half a second."""
        stats: dict[str, dict[str, Any]] = {}
        silent: dict[str, str] = {}
        keys: list[dict[str, Any]] = []
        for worker, client in self._clients.items():
            try:
                stats[worker] = call_for_map(client, "stats")
                if worker == "cache-server":
                    keys = call_for_map(client, "keys")["keys"]
            except (ServerUnavailableError, ProtocolError) as error:
                stats[worker] = {}
                given_up = why_given_up(self._run_directory, worker)
                silent[worker] = "GIVEN UP" if given_up else _in_short(str(error))
        return Look(at=time.monotonic(), stats=stats, silent=silent, keys=keys)


def _in_short(error: str) -> str:
    reason = error.rpartition(": ")[2]
    return "not running" if reason in _NOT_RUNNING else reason


def _drawn(before: Look, after: Look, watched: Watched) -> RenderableType:
    clock = time.strftime("%H:%M:%S")
    title = f" tlsmgr  {clock}  {watched.name}  every {watched.interval:g} s, q ends "
    return draw(Comparison(before, after), workers=WORKERS, now=time.time(), title=title)
