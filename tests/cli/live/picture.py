"""The screen as a picture for the documents: python -m tests.cli.live.picture > docs/top.svg."""

import io
import re
import sys

from rich.console import Console

from tests.cli.live.samples import NOW, busy
from tlsmgr.cli.live.figures import Comparison
from tlsmgr.cli.live.screen import draw
from tlsmgr.cli.workers import WORKERS


def picture() -> str:
    """Return the picture, in SVG: the same each time."""
    console = Console(
        record=True,
        file=io.StringIO(),
        width=80,
        height=24,
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    title = " tlsmgr  14:03:12  /etc/postfix  every 1 s, q ends "
    console.print(draw(Comparison(*busy()), workers=WORKERS, now=NOW, title=title))
    drawn = console.export_svg(title="tlsmgr top", unique_id="tlsmgr-top")
    # Without the fonts that a reader's browser would fetch from elsewhere.
    return re.sub(r" *@font-face \{.*?\}\n", "", drawn, flags=re.DOTALL)


if __name__ == "__main__":
    sys.stdout.write(picture())
