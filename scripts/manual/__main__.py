"""Write docs/man, docs/errors.md and completions anew; with --check, only tell which are not current."""

import argparse
import os
import sys
from pathlib import Path

from manual.completions import completions
from manual.messages import errors_page
from manual.pages import pages


def made() -> dict[Path, str]:
    """Return each file's text by its path below the checkout, the same whatever the environment."""
    former = os.environ.pop("MAIL_CONFIG", None)
    try:
        parts = ((Path("docs/man"), pages()), (Path("completions"), completions()))
        files = {folder / name: text for folder, texts in parts for name, text in texts.items()}
        return {**files, Path("docs/errors.md"): errors_page()}
    finally:
        if former is not None:
            os.environ["MAIL_CONFIG"] = former


def main() -> int:
    """Return 1 if ``--check`` finds a file that is not current."""
    parser = argparse.ArgumentParser(prog="make-man", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args()
    checkout = Path(__file__).resolve().parents[2]
    code = 0
    for path, text in made().items():
        target = checkout / path
        if target.exists() and target.read_text(encoding="utf-8") == text:
            continue
        if options.check:
            sys.stderr.write(f"make-man: {path} is not current; run scripts/make-man\n")
            code = 1
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
