"""Text as troff takes it, with the macros of man(7)."""

from collections.abc import Iterable


def escaped(text: str) -> str:
    """Return ``text`` so that every character is printed as it is, a dash as the one to type."""
    safe = text.replace("\\", "\\(rs").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return f"\\&{safe}" if safe.startswith(".") else safe


def head(title: str, section: int, manual: str) -> str:
    """Return how a page begins; without a date, so that it changes only with its content."""
    return f'.TH {title} {section} "" "tlsmgr" "{manual}"\n'


def section(title: str, *paragraphs: str) -> str:
    """Return a section of paragraphs, each text or the macros of another function."""
    return f'.SH "{title}"\n' + ".PP\n".join(_lines(paragraph) for paragraph in paragraphs)


def entries(rows: Iterable[tuple[str, str]]) -> str:
    """Return a list of terms, each with its text below; texts end with a full stop or nothing."""
    return "".join(f".TP\n.B {_term(term)}\n{_lines(text)}" for term, text in rows)


def verbatim(text: str) -> str:
    """Return lines as they are."""
    lines = "".join(f"{escaped(line)}\n" for line in text.splitlines())
    return f".RS\n.nf\n{lines}.fi\n.RE\n"


def _term(term: str) -> str:
    return escaped(term).replace('"', "\\(dq")


def _lines(text: str) -> str:
    if text.startswith("."):
        return text
    return f"{escaped(text)}\n"
