"""Standard output and error, as a command's user has them: closed, full, or a pipe that nobody reads."""

import io
import os
import sys
from pathlib import Path


def prepare(errors: str) -> None:
    """Make both usable: what is closed goes nowhere, and a character that cannot be encoded is no error.

    Args:
        errors: What becomes of such a character, as for ``str.encode``.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open until the end
            setattr(sys, name, nowhere)
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def abandon_output() -> None:
    """Write nothing more: Python would try again at the end, and complain."""
    stream = sys.__stdout__
    if stream is not None and stream is sys.stdout:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def reason(error: OSError) -> str:
    """Return in a line what an error of the operating system says, and of which file."""
    text = error.strerror or str(error)
    return f"{error.filename}: {text}" if error.filename else f"cannot write the output: {text}"
