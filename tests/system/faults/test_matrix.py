"""docs/reliability.md shows the matrix as the tests have it."""

import ast
import re
from pathlib import Path

from rehearsal.checkout import CHECKOUT

_ROW = re.compile(r"^\| [^|]+ \| [^|]+ \| [^|]+ \| `(test_\w+\.py)::(test_\w+)` \|$", re.MULTILINE)
_HERE = Path(__file__)


def documented() -> list[tuple[str, str]]:
    """Return file and function of each row in the document."""
    text = (CHECKOUT / "docs" / "reliability.md").read_text()
    section = text.partition("## The fault matrix")[2].partition("\n## ")[0]
    rows = _ROW.findall(section)
    assert len(rows) == section.count("::"), "a row is not as the others are"
    return rows


def written() -> list[tuple[str, str]]:
    """Return file and function of each test of the matrix."""
    return [
        (path.name, node.name)
        for path in _HERE.parent.glob("test_*.py")
        if path != _HERE
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def test_the_document_and_the_tests_have_the_same_rows() -> None:
    """Each test stands in one row, and each row names a test."""
    assert sorted(documented()) == sorted(written())
