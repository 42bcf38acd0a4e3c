"""The manual pages and the completions: current, complete, and good for what reads them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from manual.__main__ import made
from manual.command import verbs
from manual.roff import escaped
from rehearsal.checkout import CHECKOUT
from tlsmgr.config.parameters import PARAMETERS
from tlsmgr.errors import ExitCode

_PAGES = sorted(path for path in made() if path.parts[:2] == ("docs", "man"))
_BASH = CHECKOUT / "completions" / "tlsmgr.bash"
_COMPLETE = """\
source "$1"
shift
COMP_WORDS=(tlsmgr "$@")
COMP_CWORD=$#
_tlsmgr
printf '%s\\n' "${COMPREPLY[@]}"
"""


def _run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - the commands are this module's own
        [str(word) for word in command], capture_output=True, text=True, timeout=30, check=False
    )


def _needed(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def _completed(*words: str) -> list[str]:
    done = _run("/bin/bash", "-c", _COMPLETE, "bash", _BASH, *words)
    assert done.stderr == ""
    return done.stdout.split()


def test_all_files_are_current(monkeypatch: pytest.MonkeyPatch) -> None:
    """scripts/make-man changes nothing, wherever main.cf is."""
    monkeypatch.setenv("MAIL_CONFIG", "/elsewhere")
    for path, text in made().items():
        assert (CHECKOUT / path).read_text(encoding="utf-8") == text, f"{path}: run scripts/make-man"


def test_every_parameter_verb_and_exit_code_is_in_the_manual() -> None:
    """Made from the table and the parser; so it is the making that is tested."""
    text = {path.name: page for path, page in made().items()}

    assert all(f".B {escaped(name)} (" in text["tlsmgr.cf.5"] for name in PARAMETERS)
    assert all(f".B {verb.name}" in text["tlsmgr.1"] for verb in verbs())
    assert all(f"\n.B {code:d}\n" in text["tlsmgr.8"] for code in ExitCode)


def test_the_messages_are_in_their_table() -> None:
    """Raised ones with the exit code of their class, logged ones with their level; none with a defect's."""
    page = made()[Path("docs/errors.md")]

    assert "cannot open pid file {path}: {strerror} | exit code 71 |" in page
    assert "mail_owner: unknown user {user name}; name a user of this host | exit code 78 |" in page
    assert "is locked: this worker runs already | exit code 73 |" in page
    assert "| log: warning |" in page
    assert page.count("\n| ") > 100


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_groff_finds_nothing_to_complain_about(page: Path) -> None:
    """All its warnings are on."""
    done = _run(_needed("groff"), "-man", "-ww", "-z", "-Tutf8", CHECKOUT / page)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_mandoc_finds_no_error(page: Path) -> None:
    """The BSDs' reader takes the pages too."""
    done = _run(_needed("mandoc"), "-Tlint", "-Werror", CHECKOUT / page)

    assert done.returncode == 0, done.stdout


def test_bash_completes_verbs_options_and_values() -> None:
    """At the place where the cursor is."""
    assert _completed("re") == ["revoke"]
    assert set(_completed("")) > {verb.name for verb in verbs()}
    assert _completed("lookup", "s") == ["smtpd", "smtp"]
    assert _completed("serve", "cache") == ["cache-server"]
    assert _completed("lookup", "--ra") == ["--raw"]
    assert _completed("config", "tls_random_s") == ["tls_random_source"]
    assert "/etc" in _completed("ping", "-c", "/et")
    assert _completed("nothing", "") == []


def test_every_option_is_in_every_completion() -> None:
    """None is forgotten in one of the shells."""
    files = {path.name: text for path, text in made().items()}
    for verb in verbs():
        for option in verb.options:
            for spelling in option.spellings:
                assert spelling in files["tlsmgr.bash"]
                assert f"'{spelling}[" in files["_tlsmgr"]
                assert (
                    f" -{'l' if spelling.startswith('--') else 's'} {spelling.lstrip('-')}"
                    in (files["tlsmgr.fish"])
                )


@pytest.mark.parametrize(("shell", "name"), [("zsh", "_tlsmgr"), ("fish", "tlsmgr.fish")])
def test_the_other_shells_take_theirs(shell: str, name: str) -> None:
    """Their syntax is right, where there is somebody to tell."""
    done = _run(_needed(shell), "-n", CHECKOUT / "completions" / name)

    assert (done.returncode, done.stderr) == (0, "")
