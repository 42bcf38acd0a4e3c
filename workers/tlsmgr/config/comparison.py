"""The comparisons of ``${{a} == {b} ? ...}`` in main.cf (postconf(5))."""

import operator
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

_DIGITS = re.compile(r"[0-9]+")
_LEVEL = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,4})(?:\.([0-9]{1,4}))?)?")
_LEVEL_SUFFIX = "level"
_LEVEL_PART_MAX = 1023

_OPERATORS: Mapping[str, Callable[[bytes, bytes], bool]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">=": operator.ge,
        ">": operator.gt,
    }
)


class MalformedOperandError(ValueError):
    """The operator is unknown, or an operand is not of the form that it compares."""


def compare(left: str, relop: str, right: str) -> bool:
    """Compare two expanded texts.

    Numerically when both are all digits, else byte by byte. With the operators of Postfix
    3.6 that end in ``level`` (``<level`` and so on), as compatibility levels, such as 3.6.

    Raises:
        MalformedOperandError: an unknown operator, or a malformed compatibility level.
    """
    relation = relop.removesuffix(_LEVEL_SUFFIX)
    if relation not in _OPERATORS:
        raise MalformedOperandError(f"expected one of {' '.join(_OPERATORS)}, not {relop[:20]!r}")
    if relation != relop:
        left, right = _level(left), _level(right)
    elif _DIGITS.fullmatch(left) and _DIGITS.fullmatch(right):
        # As texts of one length: int() refuses to read thousands of digits.
        width = max(len(left), len(right))
        left, right = left.zfill(width), right.zfill(width)
    return _OPERATORS[relation](_octets(left), _octets(right))


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _level(text: str) -> str:
    """Return a compatibility level in a form that sorts as it does."""
    matched = _LEVEL.fullmatch(text)
    major, minor, patch = (int(part or 0) for part in matched.groups()) if matched else (0, -1, 0)
    if not (0 <= minor <= _LEVEL_PART_MAX and patch <= _LEVEL_PART_MAX):
        raise MalformedOperandError(f"expected a compatibility level such as 3.6, not {text[:20]!r}")
    return f"{major:012}.{minor:04}.{patch:04}"
