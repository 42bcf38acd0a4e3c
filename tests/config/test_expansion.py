from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.config.comparison import MalformedOperandError, compare
from tlsmgr.config.expansion import (
    NESTING_LIMIT,
    SIZE_LIMIT,
    Expander,
    ExpansionError,
    references,
)

NAMES = {"a": "1", "empty": "", "hollow": "$undefined", "dollar": "$$b", "b": "<$a>", "loop": "x$loop"}


def _expand(text: str) -> str:
    return Expander({**NAMES, "text": text}.get).value("text")


# Recorded from postconf -x of Postfix 3.7.11; test_against_postconf.py holds the two together.
EXPANSIONS = [
    ("plain { } ( ) : ? text", "plain { } ( ) : ? text"),
    ("$a|${a}|$(a)|$a.b|$a$b", "1|1|1|1.b|1<1>"),
    ("$undefined|${undefined}|$hollow.", "||."),
    ("$$|$$a|$$$a|$dollar", "$|$a|$1|$b"),
    ("${a?x}|${empty?x}|${undefined?x}", "x||"),
    ("${a:x}|${empty:x}|${undefined:x}", "|x|x"),
    ("${a?{x}}|${empty?{x}}|${a:{x}}|${empty:{x}}", "x|||x"),
    ("${a?{x}:{y}}|${empty?{x}:{y}}|${a?{x}:y}|${empty?{x}: y}", "x|y|x| y"),
    ("${a?x:y}|${a??b}|${a?}|${empty:}|", "x:y|?b|||"),
    ("${a? {x} : {y} }|${empty? {x} : {y} }|${a? x}", "x|y| x"),
    ("${ a }|$( a )|${ a ?{x}}|${ a?x }|", "1|1|x|x |"),
    ("${hollow?{yes}:{no}}", "yes"),
    ("$(a?{x}:{y})|$(a?(x))|${a?$(b)}|$(a?${b})", "x|(x)|<1>|<1>"),
    ("${a?{${empty:{$b}}}}", "<1>"),
    ("${a?$a}|${a?{$b}:{$undefined}}", "1|<1>"),
    ("${{a} == {a} ? {x} : {y}}|${{a} != {a} ? {x} : {y}}", "x|y"),
    ("${{$a}=={1}?x:y}|${{$a}=={2}?{x}:{y}}|${{$a} == {1}}|${{$a} == {2}}|", "x:y|y|true||"),
    ("${{2}<{10}?{n}:{t}}|${{2}<{1a}?{n}:{t}}|${{2}<={2}?n}|${{2}>{2}?n}|${{2}>={2}?n}", "n|t|n||n"),
    ("${{1}=={01}}|${{}=={}}|${{ 1} == {1}}|", "true|true||"),
    ("${{3.6} <level {3.10} ? {x} : {y}}|${{3.6}==level{3.6.0}}", "x|true"),
    ("${ }|${?x}|", "||"),
    ("${empty?{$}:{b}}|${empty?$:y}|", "b||"),
]

MALFORMED = [
    ("$", "expected a name after '$'"),
    ("a$ b", "expected a name after '$'"),
    ("${}", "expected a name after '$'"),
    ("${a", "no closing bracket for '{a'"),
    ("$(a", "no closing bracket for '(a'"),
    ("${a?{b}", "no closing bracket"),
    ("${a b}", "expected '?', ':' or the end of the name before 'b'"),
    ("${a-b}", "expected '?', ':' or the end of the name before '-b'"),
    ("${a?{x}y}", "expected ':' before 'y'"),
    ("${empty:{x}y}", "unexpected text 'y'"),
    ("${empty?{x}:{y}z}", "unexpected text 'z'"),
    ("${{a}}", "expected {text} after ''"),
    ("${{a} == b}", "expected {text} after '=='"),
    ("${{a} << {b}}", "expected one of == != < <= >= >, not '<<'"),
    ("${{a} ==foo {b}}", "expected one of"),
    ("${{a} ==level {b}}", "expected a compatibility level such as 3.6, not 'a'"),
    ("${{a} == {b} x}", "expected '?' or ':' before 'x'"),
    ("${{$} == {b}}", "expected a name after '$'"),
    ("$loop", "loop refers to itself: loop -> loop"),
    ("${a?{$loop}}", "loop refers to itself"),
]


@pytest.mark.parametrize(("text", "expected"), EXPANSIONS)
def test_an_expression_expands_as_in_postfix(text: str, expected: str) -> None:
    """Every form of postconf(5), and what Postfix makes of its corners."""
    assert _expand(text) == expected


@pytest.mark.parametrize(("text", "reason"), MALFORMED)
def test_a_malformed_expression_is_an_error_that_says_what_was_expected(text: str, reason: str) -> None:
    """Postfix refuses each of these too."""
    with pytest.raises(ExpansionError) as caught:
        _expand(text)
    assert reason in caught.value.reason


def test_recursion_names_every_parameter_of_the_circle() -> None:
    """One look at the message tells which line to change."""
    with pytest.raises(ExpansionError) as caught:
        Expander({"a": "$b", "b": "${c}", "c": "${x:$b}"}.get).value("a")
    assert caught.value.reason == "b refers to itself: b -> c -> b"
    assert caught.value.chain == ("a", "b", "c")


def test_a_test_of_its_own_value_is_no_recursion() -> None:
    """A test looks at the unexpanded value only."""
    assert Expander({"a": "${a?x}"}.get).value("a") == "x"


def test_an_undefined_name_is_remembered_with_its_user() -> None:
    """A name in an untaken branch, or one that is only tested, is no oversight."""
    expander = Expander({"a": "$b ${c?x} ${d:y} ${b?{$e}:{$f}}", "b": "$g"}.get)
    assert expander.value("a") == "  y "
    assert expander.undefined == {"g": "b", "e": "a"}


def test_a_long_chain_is_refused_before_the_stack_ends() -> None:
    """Postfix's own limit of nesting holds for references, conditions and comparisons."""
    chain = {f"n{number}": f"$n{number + 1}" for number in range(10_000)}
    nested = {"n0": "${x:" * 500 + "}" * 500}
    compared = {"n0": "${{" * 500 + "}=={}}" * 500}
    for definitions in (chain, nested, compared):
        with pytest.raises(ExpansionError, match=f"more than {NESTING_LIMIT} levels"):
            Expander(definitions.get).value("n0")


def test_a_chain_within_the_limit_expands() -> None:
    """What Postfix accepts is accepted."""
    chain = {f"n{number}": f"$n{number + 1}" for number in range(NESTING_LIMIT)}
    assert Expander({**chain, f"n{NESTING_LIMIT}": "end"}.get).value("n0") == "end"


@pytest.mark.parametrize("last", ["", "x"])
def test_doubling_references_end_soon(last: str) -> None:
    """Each name is expanded once, and a value has a size limit, so no file takes long."""
    doubling = {f"n{number}": f"$n{number + 1}$n{number + 1}" for number in range(90)}
    expander = Expander({**doubling, "n90": last}.get)
    if last:
        with pytest.raises(ExpansionError, match=f"more than {SIZE_LIMIT} characters"):
            expander.value("n0")
    else:
        assert expander.value("n0") == ""


pieces = st.sampled_from(
    [
        "$",
        "${",
        "$(",
        "{",
        "}",
        ")",
        "?",
        ":",
        "a",
        "b",
        "c",
        "==",
        "<",
        "level",
        " ",
        "$a",
        "${b",
        "1",
        "\ud800",
    ]
)
texts = st.lists(pieces, max_size=12).map("".join)


@given(st.dictionaries(st.sampled_from("abc"), texts))
def test_any_definitions_expand_or_are_an_expansion_error(definitions: dict[str, str]) -> None:
    """No other exception, whatever the values, and it always ends."""
    for name in definitions:
        with suppress(ExpansionError):
            assert isinstance(Expander(definitions.get).value(name), str)


@given(st.text().map(lambda text: text.replace("$", "$$")))
def test_a_text_with_doubled_dollar_signs_expands_to_itself(text: str) -> None:
    """There is a way to write every text."""
    assert _expand(text) == text.replace("$$", "$")


def test_references_are_found_in_untaken_branches_too() -> None:
    """``$$`` is no reference, and neither is a comparison's operator."""
    text = "$a ${ b } $(c?{$d}:${e}) $$f $$$g ${{$h} ==level {i}}"
    assert list(references(text)) == ["a", "b", "c", "d", "e", "g", "h"]


@given(st.integers(0, 10**30), st.integers(0, 10**30), st.integers(0, 3))
def test_digits_compare_as_numbers_of_any_length(left: int, right: int, zeros: int) -> None:
    """Leading zeros do not count."""
    texts = ("0" * zeros + str(left), str(right))
    for relop, outcome in (("==", left == right), ("<", left < right), (">=", left >= right)):
        assert compare(texts[0], relop, texts[1]) == outcome


def test_thousands_of_digits_compare() -> None:
    """The interpreter's limit on reading numbers is not in the way."""
    assert compare("9" * 10_000, "<", "1" + "0" * 10_000)


@pytest.mark.parametrize("level", ["", "x", "3.", "3.6.7.8", "3.1024", "-1", "3.6 "])
def test_a_malformed_level_is_refused(level: str) -> None:
    """A compatibility level is major, minor and patch, the latter two up to 1023."""
    with pytest.raises(MalformedOperandError):
        compare(level, "<level", "3.6")
