"""The report as Markdown: a table for each kind of line, with the targets and whether they are met."""

from collections.abc import Iterable
from pathlib import Path

from benchmark.report import Document, Line, memory_lines, name, ratio, target_text, whole

_BEGIN = "<!-- begin of what scripts/bench wrote -->"
_END = "<!-- end of what scripts/bench wrote -->"

_HEADINGS = (
    *("what", "connections", "placement", "requests/s: theirs", "ours", "ratio"),
    *("median us: theirs", "ours", "ratio", "p99 us: theirs", "ours", "target (aim)", ""),
)


class MarkError(Exception):
    """A file has no place for the report."""


def insert(document: Document, into: Path) -> None:
    """Put the report between the two marks of a file, in place of what was there.

    Raises:
        MarkError: The file has not got both marks, in their order.
    """
    before, begin, rest = into.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise MarkError(f"{into}: no {_BEGIN} and {_END}")
    into.write_text(f"{before}{begin}\n{as_markdown(document)}{end}{after}")


def as_markdown(document: Document) -> str:
    """Return the report."""
    lines = [line for line in document["cases"] if line["candidate"] != "-"]
    limits = [line for line in document["cases"] if line["candidate"] == "-"]
    return "\n".join(
        [
            _circumstances(document),
            "",
            *_comparison(line for line in lines if line["target"] is not None),
            "",
            "Without a target:",
            "",
            *_comparison(line for line in lines if line["target"] is None),
            "",
            "A program in C that does nothing but answer, the limit of the socket:",
            "",
            *_limits(limits),
            "",
            *(f"* {line}" for line in memory_lines(document)),
            "",
        ]
    )


def _circumstances(document: Document) -> str:
    host = document["host"]
    return (
        f"Measured on {document['date'][:10]} with `{document['command']}`, on {host['cpus']} processors"
        f" ({host['machine']}, Linux {host['kernel']}, Python {host['python']}), against the tlsmgr of"
        f" Postfix {host['postfix']} in the same run: medians of {document['rounds']} rounds of"
        f" {document['seconds']:g} s, and each ratio is the median of the rounds' ratios."
        f" The load average before it was {host.get('load_before', 'not noted')}."
    )


def _comparison(lines: Iterable[Line]) -> list[str]:
    return [
        _row(*_HEADINGS),
        "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|---|---|",
        *(_row(*_compared(line)) for line in lines),
    ]


def _compared(line: Line) -> tuple[str, ...]:
    theirs, ours = line["medians"]["yardstick"], line["medians"]["candidate"]
    return (
        *(name(line), str(line["connections"]), line["placement"]),
        *(whole(theirs["rate"]), whole(ours["rate"]), ratio(line["ratio"]["rate"])),
        *(whole(theirs["median"]), whole(ours["median"]), ratio(line["ratio"]["median"])),
        *(whole(theirs["p99"]), whole(ours["p99"]), target_text(line), _verdict(line)),
    )


def _verdict(line: Line) -> str:
    return f"**{line['met']}**" if line["met"] == "missed" else line["met"]


def _limits(lines: Iterable[Line]) -> list[str]:
    return [
        "| connections | placement | requests/s | median us | p99 us |",
        "|--:|---|--:|--:|--:|",
        *(
            _row(
                str(line["connections"]),
                line["placement"],
                *(whole(line["medians"]["yardstick"][name]) for name in ("rate", "median", "p99")),
            )
            for line in lines
        ),
    ]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
