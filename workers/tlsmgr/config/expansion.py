"""The expansion of ``$name`` and its relatives in parameter values, as postconf(5) has it.

``$name``, ``${name}`` and ``$(name)`` stand for a value; ``${name?text}`` and ``${name:text}``
for the text when the value is not empty, or empty; ``${name?{text}:{text}}`` for either;
``${{a} == {b} ? {x} : {y}}`` compares; ``$$`` is a dollar sign. Whatever is not taken is not
looked at, and a test is made on the unexpanded value: both as Postfix does.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tlsmgr.config.comparison import MalformedOperandError, compare

#: Postfix's own limit; the longest chain of references that a sane file has is about five.
NESTING_LIMIT = 100
#: Characters. Thirty lines can ask for a gigabyte ("a = $b$b", "b = $c$c", ...).
SIZE_LIMIT = 1 << 20

_SPACE = " \t\r\n"
_NAME = re.compile(r"[A-Za-z0-9_]*")
_OPERATOR = re.compile(r"([<>!=?+*/~&|%-]*)([A-Za-z0-9_]*)")
_BRACKETS = {"{": re.compile("[{}]"), "(": re.compile("[()]")}
_REFERENCE = re.compile(r"\$\$|\$(?:[({][ \t\r\n]*)?([A-Za-z0-9_]+)")
_TRUE, _FALSE = "true", ""


class ExpansionError(Exception):
    """A value cannot be expanded; ``chain`` are the names on the way to the faulty text."""

    def __init__(self, reason: str, chain: tuple[str, ...]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.chain = chain


@dataclass(frozen=True, slots=True)
class _Macro:
    """What stands between the brackets of ``${...}``, or the name after a bare ``$``."""

    text: str


@dataclass(slots=True)
class Expander:
    """Expands values; ``lookup`` gives a name's unexpanded value, or None for an undefined one.

    Every name is expanded once and kept, so the work is bounded by the size of the
    definitions however they refer to each other. ``undefined`` collects the names that
    were used without being defined, each with the parameter whose value uses it.
    """

    lookup: Callable[[str], str | None]
    undefined: dict[str, str] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """Return the expanded value of a parameter, empty if it is undefined.

        Raises:
            ExpansionError: malformed text, recursion, too deep, or too long.
        """
        return self._value(name, (), 0)

    def _value(self, name: str, chain: tuple[str, ...], depth: int) -> str:
        if name in self._known:
            return self._known[name]
        if name in chain:
            circle = " -> ".join((*chain[chain.index(name) :], name))
            raise ExpansionError(f"{name} refers to itself: {circle}", chain)
        text = self.lookup(name)
        if text is None:
            if chain:
                self.undefined.setdefault(name, chain[-1])
            return ""
        expanded = self._expand(text, (*chain, name), depth)
        self._known[name] = expanded
        return expanded

    def _expand(self, text: str, chain: tuple[str, ...], depth: int) -> str:
        if depth > NESTING_LIMIT:
            raise ExpansionError(f"more than {NESTING_LIMIT} levels of references", chain)
        parts: list[str] = []
        size = 0
        for piece in _pieces(text, chain):
            part = self._macro(piece.text, chain, depth + 1) if isinstance(piece, _Macro) else piece
            size += len(part)
            if size > SIZE_LIMIT:
                raise ExpansionError(f"the value has more than {SIZE_LIMIT} characters", chain)
            parts.append(part)
        return "".join(parts)

    def _macro(self, text: str, chain: tuple[str, ...], depth: int) -> str:
        text = text.lstrip(_SPACE)
        if text.startswith("{"):
            condition, rest = self._comparison(text, chain, depth)
            return self._choose(condition, rest, chain, depth) if rest else condition
        matched = _NAME.match(text)
        name = matched.group() if matched else ""
        rest = text[len(name) :].lstrip(_SPACE)
        if not rest:
            return self._value(name, chain, depth)
        if rest[0] not in "?:":
            raise ExpansionError(f"expected '?', ':' or the end of the name before {rest[:20]!r}", chain)
        return self._choose(self.lookup(name) or "", rest, chain, depth)

    def _choose(self, condition: str, rest: str, chain: tuple[str, ...], depth: int) -> str:
        """Expand the one of ``?text`` and ``:text`` that the condition's emptiness asks for."""
        if rest[0] not in "?:":
            raise ExpansionError(f"expected '?' or ':' before {rest[:20]!r}", chain)
        if_true, if_false = "", ""
        if rest[0] == "?":
            if_true, rest = _operand(rest[1:], chain)
        if rest:
            if rest[0] != ":":
                raise ExpansionError(f"expected ':' before {rest[:20]!r}", chain)
            if_false, rest = _operand(rest[1:], chain)
        if rest:
            raise ExpansionError(f"unexpected text {rest[:20]!r}", chain)
        return self._expand(if_true if condition else if_false, chain, depth)

    def _comparison(self, text: str, chain: tuple[str, ...], depth: int) -> tuple[str, str]:
        """Evaluate ``{a} == {b}``; return a non-empty or empty text, and what follows."""
        left, rest = _braced(text, chain)
        matched = _OPERATOR.match(rest)
        operator, suffix = matched.groups() if matched else ("", "")
        rest = rest[len(operator) + len(suffix) :].lstrip(_SPACE)
        if not rest.startswith("{"):
            raise ExpansionError(f"expected {{text}} after '{operator}{suffix}'", chain)
        right, rest = _braced(rest, chain)
        operands = self._expand(left, chain, depth), self._expand(right, chain, depth)
        try:
            outcome = compare(operands[0], operator + suffix, operands[1])
        except MalformedOperandError as error:
            raise ExpansionError(str(error), chain) from error
        return (_TRUE if outcome else _FALSE), rest


def references(text: str) -> Iterator[str]:
    """Yield the names that a value refers to, those in untaken branches included."""
    for matched in _REFERENCE.finditer(text):
        if matched.group(1):
            yield matched.group(1)


def _pieces(text: str, chain: tuple[str, ...]) -> Iterator[str | _Macro]:
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        if dollar > position:
            yield text[position:dollar]
        following = text[dollar + 1 : dollar + 2]
        if following == "$":
            yield "$"
            position = dollar + 2
            continue
        if following in _BRACKETS:
            start, position = dollar + 2, _closing(text, dollar + 1, chain)
            macro = text[start : position - 1]
        else:
            matched = _NAME.match(text, dollar + 1)
            macro = matched.group() if matched else ""
            position = dollar + 1 + len(macro)
        if not macro:
            raise ExpansionError("expected a name after '$' ('$$' is a dollar sign)", chain)
        yield _Macro(macro)
    if position < len(text):
        yield text[position:]


def _closing(text: str, opening: int, chain: tuple[str, ...]) -> int:
    """Return the position behind the bracket that closes the one at ``opening``."""
    level = 0
    for matched in _BRACKETS[text[opening]].finditer(text, opening):
        level += 1 if matched.group() == text[opening] else -1
        if level == 0:
            return matched.end()
    raise ExpansionError(f"no closing bracket for {text[opening : opening + 20]!r}", chain)


def _braced(text: str, chain: tuple[str, ...]) -> tuple[str, str]:
    """Split ``{inner} rest``, without the white space between them."""
    end = _closing(text, 0, chain)
    return text[1 : end - 1], text[end:].lstrip(_SPACE)


def _operand(text: str, chain: tuple[str, ...]) -> tuple[str, str]:
    """Split an operand from the rest; one without braces reaches to the end."""
    trimmed = text.lstrip(_SPACE)
    return _braced(trimmed, chain) if trimmed.startswith("{") else (text, "")
