"""Results as the documentation has them: a section between two marks, written anew by each run."""

import os
import platform
import re
import time
from pathlib import Path

from rehearsal.checkout import CHECKOUT

RELIABILITY = CHECKOUT / "docs" / "reliability.md"


def circumstances(command: str) -> str:
    """Return the line that says when, with which command and on what a result came about."""
    date = time.strftime("%Y-%m-%d", time.gmtime())
    host = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return f"{date}, `{command}`, {host}."


def publish(name: str, text: str, document: Path = RELIABILITY) -> None:
    """Put ``text`` between the marks of this name, at the end of the document where there are none."""
    section = f"<!-- result: {name} -->\n{text.strip()}\n<!-- end of result -->\n"
    found = re.compile(rf"<!-- result: {name} -->\n.*?<!-- end of result -->\n", re.DOTALL)
    former = document.read_text(encoding="utf-8")
    now, count = found.subn(lambda _: section, former)
    document.write_text(now if count else f"{former}\n{section}", encoding="utf-8")
