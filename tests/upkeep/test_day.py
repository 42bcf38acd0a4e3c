"""A day's figures, out of snapshots."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.upkeep.day import Day, make_day
from tlsmgr.upkeep.history import Snapshot
from tlsmgr.upkeep.report_forms import as_html, as_text

_HITS, _MISSES = "cache-server.caches.smtpd.hits", "cache-server.caches.smtpd.misses"
_ENTRIES = "cache-server.caches.smtpd.entries"


def _totals(day: Day) -> dict[str, str]:
    return {line.name: line.total for line in day.lines}


def _snapshot(time: int, *, hits: float = 0, misses: float = 0, entries: float = 0) -> Snapshot:
    return Snapshot(time=time, figures={_HITS: hits, _MISSES: misses, _ENTRIES: entries})


def test_counters_are_added_up_over_restarts() -> None:
    """From 10 to 40 hits, a restart, and 5 more: 35 in all; the entries are those of the end."""
    taken = [
        _snapshot(0, hits=10, entries=3),
        _snapshot(600, hits=40, misses=10, entries=9),
        _snapshot(1200, hits=5, entries=4),
    ]
    day = make_day(taken, begins=0, ends=2400, parts=4)

    assert _totals(day)["smtpd lookups"] == "45"
    assert _totals(day)["smtpd hit rate"] == "77.8%"
    assert _totals(day)["smtpd entries"] == "4"
    assert next(line.values for line in day.lines if line.name == "smtpd lookups") == [0, 40, 5, 0]


def test_what_was_counted_before_the_day_is_not_of_it() -> None:
    """The snapshot before tells only where the day began."""
    day = make_day([_snapshot(0, hits=1000), _snapshot(5000, hits=1007)], begins=4000, ends=6000)

    assert _totals(day)["smtpd lookups"] == "7"


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 1e9), st.floats(0, 1e9)), max_size=30))
def test_any_snapshots_make_a_report_in_both_forms(rows: list[tuple[int, float, float]]) -> None:
    """Also none at all, one, and such that are not in the order of their times."""
    day = make_day([_snapshot(t, hits=h, misses=m) for t, h, m in rows], begins=0, ends=10**6)

    assert "smtpd lookups" in as_text(day, "host")
    assert "smtpd lookups" in as_html(day, "host")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onload", "onclick"}
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert dict(attrs)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """No script, link, picture or font; what is named by the host is no markup."""
    day = make_day([_snapshot(0), _snapshot(900, hits=5)], begins=0, ends=1000)
    page = as_html(day, "<script>alert(1)</script>")
    tags = _Tags()
    tags.feed(page)
    tags.close()

    assert tags.open == []
    assert not tags.seen & {"script", "link", "img", "iframe"}
    assert "url(" not in page
    assert "http" not in page
