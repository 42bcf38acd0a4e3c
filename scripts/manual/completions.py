"""Completions for bash, zsh and fish, made from the command line's own parser."""

from collections.abc import Sequence

from manual.command import Argument, Verb, verbs
from tlsmgr.config.parameters import PARAMETERS

_CACHES = ("smtpd", "smtp", "lmtp")
_BASH = """\
# Completion of tlsmgr for bash. Made by scripts/make-man; source it, or put it where bash-completion looks.

_tlsmgr() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "{verbs} --help --version" -- "$word")
        return
    fi
    case "${{COMP_WORDS[1]}} $before" in
{values}    esac
    case "${{COMP_WORDS[1]}}" in
{cases}    *) words= ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -F _tlsmgr tlsmgr
"""
_ZSH = """\
#compdef tlsmgr
# Completion of tlsmgr for zsh. Made by scripts/make-man; put it into a folder of $fpath as _tlsmgr.

_tlsmgr() {{
    local -a verbs
    verbs=(
{verbs}    )
    if (( CURRENT == 2 )); then
        _describe verb verbs
        return
    fi
    local verb=$words[2]
    shift words
    (( CURRENT-- ))
    case $verb in
{cases}    esac
}}

_tlsmgr "$@"
"""
_FISH = """\
# Completion of tlsmgr for fish. Made by scripts/make-man; put it into ~/.config/fish/completions.

complete -c tlsmgr -f
"""


def completions() -> dict[str, str]:
    """Return the text of each file by its name."""
    return {"tlsmgr.bash": _bash(), "_tlsmgr": _zsh(), "tlsmgr.fish": _fish()}


def _bash() -> str:
    known = verbs()
    values = "".join(_bash_value(verb, option) for verb in known for option in verb.options if option.value)
    cases = "".join(f'    {verb.name}) words="{" ".join(_offered(verb))}" ;;\n' for verb in known)
    return _BASH.format(verbs=" ".join(verb.name for verb in known), values=values, cases=cases)


def _bash_value(verb: Verb, option: Argument) -> str:
    pattern = "|".join(f'"{verb.name} {spelling}"' for spelling in option.spellings)
    if option.value in ("DIR", "FILE"):
        action = f'compgen -{"d" if option.value == "DIR" else "f"} -- "$word"'
    else:
        action = f'compgen -W "{" ".join(_choices(option))}" -- "$word"'
    return f"    {pattern}) mapfile -t COMPREPLY < <({action}); return ;;\n"


def _offered(verb: Verb) -> list[str]:
    words = [choice for word in verb.words for choice in _choices(word)]
    return words + [spelling for option in verb.options for spelling in option.spellings]


def _choices(argument: Argument) -> Sequence[str]:
    if argument.value == "name" and not argument.spellings:
        return tuple(PARAMETERS)
    return argument.choices or (_CACHES if argument.value == "CACHE" else ())


def _zsh() -> str:
    known = verbs()
    shown = "".join(f"        '{verb.name}:{_zsh_text(verb.text)}'\n" for verb in known)
    cases = "".join(
        f"    {verb.name})\n        _arguments \\\n{_zsh_arguments(verb)}        ;;\n" for verb in known
    )
    return _ZSH.format(verbs=shown, cases=cases)


def _zsh_arguments(verb: Verb) -> str:
    rows = [
        f"'{spelling}[{_zsh_text(option.text)}]{_zsh_value(option)}'"
        for option in verb.options
        for spelling in option.spellings
    ]
    rows += [f"'*:{word.value}:({' '.join(_choices(word))})'" for word in verb.words]
    return " \\\n".join(f"            {row}" for row in rows) + "\n"


def _zsh_value(option: Argument) -> str:
    if not option.value:
        return ""
    if option.value in ("DIR", "FILE"):
        return f":{option.value}:_files{' -/' if option.value == 'DIR' else ''}"
    return f":{option.value}:({' '.join(_choices(option))})"


def _zsh_text(text: str) -> str:
    for special, safe in (("'", ""), ("[", "("), ("]", ")"), (":", "\\:")):
        text = text.replace(special, safe)
    return text


def _fish() -> str:
    lines = [_FISH]
    for verb in verbs():
        lines.append(
            f"complete -c tlsmgr -n __fish_use_subcommand -a {verb.name} -d {_fish_text(verb.text)}\n"
        )
        seen = f"-n '__fish_seen_subcommand_from {verb.name}'"
        words = " ".join(choice for word in verb.words for choice in _choices(word))
        if words:
            lines.append(f"complete -c tlsmgr {seen} -a {_fish_text(words)}\n")
        lines += [f"complete -c tlsmgr {seen}{_fish_option(option)}\n" for option in verb.options]
    return "".join(lines)


def _fish_option(option: Argument) -> str:
    spelled = "".join(
        f" -l {spelling[2:]}" if spelling.startswith("--") else f" -s {spelling[1:]}"
        for spelling in option.spellings
    )
    needs = ""
    if option.value:
        needs = " -r -F" if option.value in ("DIR", "FILE") else " -x"
        needs += f" -a {_fish_text(' '.join(_choices(option)))}" if _choices(option) else ""
    return f"{spelled}{needs} -d {_fish_text(option.text)}"


def _fish_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
