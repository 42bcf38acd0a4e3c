"""A checkout whose supervisord.conf differs from ours in some words."""

from collections.abc import Mapping
from pathlib import Path

from rehearsal.checkout import CHECKOUT


def altered_checkout(directory: Path, changes: Mapping[str, str]) -> Path:
    """Make it, with the programs of this checkout, and return its directory.

    Args:
        directory: Made here.
        changes: What stands in supervisord.conf, and what is to stand there instead.

    Raises:
        AssertionError: One of them does not stand there.
    """
    directory.mkdir()
    (directory / ".venv").symlink_to(CHECKOUT / ".venv")
    text = (CHECKOUT / "supervisord.conf").read_text()
    for ours, other in changes.items():
        if ours not in text:
            raise AssertionError(f"supervisord.conf has no {ours!r}")
        text = text.replace(ours, other)
    (directory / "supervisord.conf").write_text(text)
    return directory
