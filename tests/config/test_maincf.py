from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.config.maincf import (
    COMMAND_LINE,
    ParsedFile,
    Place,
    overriding,
    parse_override,
    parse_text,
    read_file,
)
from tlsmgr.errors import ConfigurationError


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(row.name, row.value) for row in parse_text(text, "main.cf").definitions]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# comment\n   # indented comment\n\n \t \n", []),
        ("a = b", [("a", "b")]),
        ("a=b\n", [("a", "b")]),
        ("a\t =\v b c \r\n", [("a", "b c")]),
        ("a =\n", [("a", "")]),
        ("a ==b=c", [("a", "=b=c")]),
        ("a = b\n  c\n\td\n", [("a", "b  c\td")]),
        ("a =\n  b\n", [("a", "b")]),
        ("a = b\n\n# comment\n   # indented\n \n  c\nd = e", [("a", "b  c"), ("d", "e")]),
        ("a = b # no comment", [("a", "b # no comment")]),
        ("a = 1\na = 2", [("a", "1"), ("a", "2")]),
        ("a.b/c = $x", [("a.b/c", "$x")]),
        ("a = b\xa0\u2028c\x1c", [("a", "b\xa0\u2028c\x1c")]),
    ],
)
def test_a_file_is_read_as_postconf_5_says(text: str, expected: list[tuple[str, str]]) -> None:
    """Comments, blank lines, continuation lines and white space mean what Postfix takes them for."""
    assert _pairs(text) == expected


def test_a_definition_knows_the_line_that_its_name_stands_on() -> None:
    """A continued definition is named by its first line, whatever stands between."""
    definitions = parse_text("# 1\n\na = b\n\n  c\nd = e\n", "/etc/main.cf").definitions
    assert [str(row.place) for row in definitions] == ["/etc/main.cf:3", "/etc/main.cf:6"]


@pytest.mark.parametrize("text", ["  a = b\n   c\nd = e", "# x\n\ta = b\nd = e"])
def test_a_continuation_of_nothing_is_ignored_with_a_warning(text: str) -> None:
    """A file may not start with a continuation line; Postfix goes on without it, and so do we."""
    parsed = parse_text(text, "main.cf")
    assert [row.name for row in parsed.definitions] == ["d"]
    assert len(parsed.warnings) == 1
    assert parsed.warnings[0].startswith(f"main.cf:{1 if text[0] == ' ' else 2}: ignored")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a", "main.cf:1: expected '=' after the parameter name: 'a'"),
        ("x = y\na b = c", "main.cf:2: expected '=' after the parameter name: 'a b = c'"),
        ("= b", "main.cf:1: expected a parameter name: '= b'"),
        ("\n\na = b\0c", r"main.cf:3: a null byte in 'a = b\x00c': expected text"),
    ],
)
def test_a_malformed_line_is_an_error_that_names_it(text: str, complaint: str) -> None:
    """The error of a malformed line has the file, the line, the text and what was expected."""
    with pytest.raises(ConfigurationError) as caught:
        parse_text(text, "main.cf")
    assert str(caught.value) == complaint


def test_a_null_byte_in_a_comment_is_nobodys_business() -> None:
    """Only what becomes a value can be damaged."""
    assert _pairs("# \0\na = b") == [("a", "b")]


def test_the_message_about_a_huge_line_is_short() -> None:
    """A message quotes the beginning of a line only."""
    with pytest.raises(ConfigurationError) as caught:
        parse_text("a" * 10_000_000, "main.cf")
    assert len(str(caught.value)) < 200


def test_bytes_that_are_no_utf_8_survive(tmp_path: Path) -> None:
    """A path in another encoding reaches the operating system byte for byte."""
    (tmp_path / "main.cf").write_bytes(b"a = /\xff\xe4/x")
    value = read_file(tmp_path / "main.cf").definitions[0].value
    assert value.encode("utf-8", "surrogateescape") == b"/\xff\xe4/x"


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    """What the operating system says about a file comes with the file's name."""
    with pytest.raises(ConfigurationError, match=rf"{tmp_path}: cannot be read: Is a directory"):
        read_file(tmp_path)


def test_a_missing_file_is_told_apart(tmp_path: Path) -> None:
    """The caller decides whether a file has to be there."""
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", ("a", "b")),
        (" a = b c ", ("a", "b c")),
        ("{ a = b c }", ("a", "b c")),
        ("{a=}", ("a", "")),
        ("a={b}", ("a", "{b}")),
    ],
)
def test_an_override_has_two_forms(text: str, expected: tuple[str, str]) -> None:
    """``-o`` takes what master.cf does."""
    assert parse_override(text) == expected


@pytest.mark.parametrize("text", ["", "a", "=b", "{ a = b", "{}", "{ a }", "a b=c", "a=\0"])
def test_a_malformed_override_is_an_error_that_names_the_option(text: str) -> None:
    """The place of an override is ``-o``."""
    with pytest.raises(ConfigurationError, match=r"^-o"):
        parse_override(text)


def test_overrides_are_definitions_from_the_command_line() -> None:
    """They are trimmed like the values of a file."""
    (definition,) = overriding([(" a ", " b ")])
    assert (definition.name, definition.value, definition.place) == ("a", "b", COMMAND_LINE)
    with pytest.raises(ConfigurationError, match=r"^-o"):
        overriding([("", "b")])


def _parse_or_none(text: str) -> ParsedFile | None:
    try:
        return parse_text(text, "f")
    except ConfigurationError:
        return None


@given(st.text(st.sampled_from("ab=#$ \t\n\r\v\0\udcff\u2028")) | st.text())
def test_any_text_is_definitions_or_a_configuration_error(text: str) -> None:
    """No other exception, and every definition has a name and a line of the file."""
    for row in (_parse_or_none(text) or ParsedFile()).definitions:
        assert row.name
        assert row.value == row.value.strip(" \t\n\v\f\r")
        assert row.place.line is not None
        assert 1 <= row.place.line <= text.count("\n") + 1


@given(st.binary())
def test_any_bytes_are_definitions_or_a_configuration_error(content: bytes) -> None:
    """Decoding fails for no file."""
    _parse_or_none(content.decode("utf-8", "surrogateescape"))


words = st.text("abc$=#", min_size=1, max_size=5)


@given(st.lists(st.tuples(st.text("abc_", min_size=1), st.lists(words, max_size=4))), st.data())
def test_what_is_written_is_read_back(rows: list[tuple[str, list[str]]], data: st.DataObject) -> None:
    """However a value is spread over lines, comments between them or not, its words stay."""
    joiner = st.sampled_from([" ", "\n ", "\n\t", "\n# comment\n ", "\n\n ", " \n \n  # c\n "])
    lines = []
    for name, parts in rows:
        text = f"{name} ="
        for part in parts:
            between = data.draw(joiner)
            if "\n" in between and part.startswith("#"):
                between = " "
            text += between + part
        lines.append(text + "\n")
    assert [(name, value.split()) for name, value in _pairs("".join(lines))] == rows


def test_a_place_is_shown_as_file_and_line() -> None:
    """Editors and people jump to it."""
    assert str(Place(origin="/etc/postfix/main.cf", line=7)) == "/etc/postfix/main.cf:7"
    assert str(COMMAND_LINE) == "-o"
