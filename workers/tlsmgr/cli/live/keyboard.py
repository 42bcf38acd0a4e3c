"""Keys as they are pressed, without Enter and without showing them."""

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def keys_pressed() -> Iterator["Keyboard"]:
    """Read single keys of the terminal while the block runs; without one, there are none."""
    if not sys.stdin.isatty():
        yield Keyboard(None)
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield Keyboard(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class Keyboard:
    """A terminal's keys; None for no terminal."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def wait(self, seconds: float) -> str:
        """Return the keys that were pressed, at once when one is, or after ``seconds`` without."""
        watched = [] if self._descriptor is None else [self._descriptor]
        readable, _, _ = select.select(watched, [], [], max(0.0, seconds))
        if not readable or self._descriptor is None:
            return ""
        data = os.read(self._descriptor, 64)
        if not data:
            # The terminal is gone: as good as a wish to end.
            raise KeyboardInterrupt
        return data.decode("ascii", "replace")
