"""The table of messages in docs/errors.md, made of the messages themselves."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tlsmgr.errors import ExitCode

_PACKAGE = Path(__file__).resolve().parents[2] / "workers" / "tlsmgr"
_ROOT_ERROR = "TlsmgrError"
_LEVELS = {"warning": "log: warning", "error": "log: error", "critical": "log: fatal"}
_HEAD = """\
# Messages

Made by scripts/make-man, out of the messages in the program. Each says what happened, to which file or
parameter, and what to do next where that is in anybody's hands. What stands in braces differs from case
to case.

An error of the configuration names file and line, so go there. It ends a worker with exit code
{configuration:d}; supervisord then leaves it alone, until `supervisorctl start tlsmgr:*`. After an edit,
`tlsmgr config -n` tells what is still wrong before anything is restarted. Everything else is tried again
by itself, by the worker or by supervisord, so the message is gone when its cause is. A message that is
none of these, with a traceback, is a defect: please report it.

"""
_TABLE = "| message | seen as |\n|---|---|\n"
_TITLES = {
    "config": "Configuration",
    "hookup": "Hooking up Postfix",
    "cli": "The command",
    "client": "Clients",
    "processes": "The workers and their event listener",
    "service": "Caches, seeds, ticket keys",
    "sealing": "Sealing",
    "storage": "Session stores",
    "shared_store": "Stores that hosts share",
    "prng": "The random number generator",
    "transport": "Sockets",
    "wire": "Protocols",
    "upkeep": "What cron calls",
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Message:
    """A message with its blanks in braces, and how it is seen."""

    text: str
    seen: str


def errors_page() -> str:
    """Return the text of docs/errors.md."""
    parts = [_HEAD.format(configuration=ExitCode.CONFIGURATION)]
    for folder, title in _TITLES.items():
        found = sorted(set(messages(sorted((_PACKAGE / folder).rglob("*.py")))))
        if found:
            rows = "".join(f"| {_cell(each.text)} | {each.seen} |\n" for each in found)
            parts.append(f"## {title}\n\n{_TABLE}{rows}\n")
    return "".join(parts).rstrip() + "\n"


def messages(paths: Iterable[Path]) -> Iterator[Message]:
    """Yield each message that is raised or logged in these modules."""
    codes = _exit_codes()
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args:
                seen = _seen(node.func, codes)
                text = _text(node.args[0]) if seen else ""
                if seen and len(text.split()) > 1:
                    yield Message(text=text, seen=seen)
            elif isinstance(node, ast.Yield) and "upkeep" in path.parts:
                text = _text(node.value) if node.value else ""
                if len(text.split()) > 1:
                    yield Message(text=text, seen=f"exit code {ExitCode.NOT_DONE:d}")


def _seen(function: ast.expr, codes: dict[str, ExitCode]) -> str:
    if isinstance(function, ast.Name) and function.id in codes:
        return f"exit code {codes[function.id]:d}"
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return _LEVELS.get(function.attr, "") if function.value.id == "_log" else ""
    return ""


def _exit_codes() -> dict[str, ExitCode]:
    """Return the exit code of each error of the package, by its class's name."""
    codes: dict[str, ExitCode] = {}
    bases: dict[str, str] = {}
    for path in sorted(_PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.bases and isinstance(node.bases[0], ast.Name):
                bases[node.name] = node.bases[0].id
                for code in _own_code(node):
                    codes[node.name] = code
    codes[_ROOT_ERROR] = ExitCode.SOFTWARE
    return {name: codes[first] for name in bases if (first := _first_with(name, bases, codes))}


def _own_code(node: ast.ClassDef) -> Iterator[ExitCode]:
    for statement in node.body:
        if (
            isinstance(statement, ast.Assign)
            and isinstance(statement.targets[0], ast.Name)
            and statement.targets[0].id == "exit_code"
            and isinstance(statement.value, ast.Attribute)
        ):
            yield ExitCode[statement.value.attr]


def _first_with(name: str, bases: dict[str, str], codes: dict[str, ExitCode]) -> str:
    while name and name not in codes:
        name = bases.get(name, "")
    return name


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text.replace("%s", "{}").replace("%d", "{}").replace("%r", "{}").replace("%g", "{}")
        case ast.JoinedStr(values=values):
            return "".join(map(_text, values))
        case ast.FormattedValue(value=value):
            return "{" + _name(value) + "}"
        case _:
            return ""


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").lower().replace("_", " ")
        case ast.Call(func=function, args=[first, *_]) if isinstance(function, ast.Name):
            return _name(first)
        case ast.BoolOp(values=[first, *_]):
            return _name(first)
        case _:
            return ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
