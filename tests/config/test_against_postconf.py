"""Debian's postconf(1) as the yardstick: on private directories, and never on the system's."""

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.config.files import write_configuration
from tests.config.test_expansion import EXPANSIONS, MALFORMED, NAMES
from tests.config.test_parameters import POSTFIX_DEFAULTS
from tlsmgr.config.configuration import Configuration, load_configuration
from tlsmgr.config.parameters import PARAMETERS
from tlsmgr.config.report import report
from tlsmgr.config.settings import process_values
from tlsmgr.errors import ConfigurationError

_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
_POSTCONF = shutil.which("postconf", path=_PATH)

pytestmark = pytest.mark.skipif(
    _POSTCONF is None, reason="postconf is not installed; the recorded answers are compared anyway"
)

#: What Postfix's own processes compute in ways of their own.
_COMPUTED = {"process_id", "process_name"}
_COMMON = sorted(POSTFIX_DEFAULTS)

MAIN_CF = r"""# A main.cf with the usual and the unusual.
compatibility_level = 3.6
queue_directory = /var/spool/elsewhere
base = /srv/${name:mail}
data_directory = $base/data
syslog_name =  a
    b	c

# a comment
   # another
    d
smtpd_tls_session_cache_database = btree:${data_directory}/smtpd
smtpd_tls_session_cache_timeout=10m
smtp_tls_loglevel = ${{$compatibility_level} >=level {3.6} ? {1, cache} : {0}}
tls_random_exchange_name =
    ${data_directory}/x$$
tls_random_source =
mail_owner = ${base?{$(base)}:none}
tls_random_bytes = ${unknown:16}
"""


def _postconf(directory: Path, *arguments: str) -> tuple[str, ...] | None:
    """Return what postconf prints, or None if it fails."""
    assert _POSTCONF is not None
    command = [_POSTCONF, "-c", str(directory), *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)  # noqa: S603  # our own words
    text = done.stdout.decode("utf-8", "surrogateescape")
    return tuple(text.split("\n")[:-1]) if done.returncode == 0 else None


def _load(directory: Path) -> Configuration:
    values = process_values(process_name="postconf", process_id=1)
    return load_configuration(directory, process_values=values)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A private configuration directory, with the empty master.cf that postconf asks for."""
    (tmp_path / "master.cf").touch()
    return write_configuration(tmp_path, MAIN_CF)


def test_the_recorded_defaults_are_those_of_the_postfix_at_hand(directory: Path) -> None:
    """Should Postfix change a default, this tells."""
    expected = tuple(f"{name} = {POSTFIX_DEFAULTS[name]}".rstrip() for name in _COMMON)
    assert _postconf(directory, "-d", *_COMMON) == expected


@pytest.mark.parametrize("options", ["", "-d", "-n", "-x", "-h", "-dx", "-nx", "-nh", "-xh"])
def test_named_parameters_are_printed_as_postconf_prints_them(directory: Path, options: str) -> None:
    """Every parameter that both know, with each combination of options, to the byte."""
    names = [*_COMMON, "base"] if "d" not in options else _COMMON
    expected = _postconf(directory, *([options] if options else []), *names)
    assert _report(_load(directory), names, options) == expected


@pytest.mark.parametrize("options", ["", "-d", "-n", "-x"])
def test_the_whole_list_is_printed_as_postconf_prints_it(directory: Path, options: str) -> None:
    """In its order, as far as both know the names."""
    known = PARAMETERS.keys() - _COMPUTED | {"base", "unknown"}
    ours = [line for line in _report(_load(directory), [], options) if line.split(" =")[0] in known]
    theirs = _postconf(directory, *([options] if options else []))
    assert theirs is not None
    own = PARAMETERS.keys() - POSTFIX_DEFAULTS.keys()
    assert [line for line in ours if line.split(" =")[0] not in own] == [
        line for line in theirs if line.split(" =")[0] in known
    ]


def _report(configuration: Configuration, names: list[str], options: str) -> tuple[str, ...]:
    return report(
        configuration,
        names,
        defaults="d" in options,
        explicit_only="n" in options,
        expanded="x" in options,
        hide_names="h" in options,
    ).lines


def test_an_unknown_name_is_no_failure_for_postconf_either(directory: Path) -> None:
    """It prints what it knows and exits with 0."""
    assert _postconf(directory, "nosuch", "mail_owner") == ("mail_owner = ${base?{$(base)}:none}",)


def _ours(directory: Path) -> tuple[str, ...] | None:
    try:
        return report(_load(directory), ["tls_random_exchange_name"], expanded=True).lines
    except ConfigurationError:
        return None


def _compare(parent: Path, files: list[str]) -> None:
    """Expand one parameter of each main.cf, both ways.

    All at once: postconf sleeps for a second after each error.
    """
    directories = []
    for number, main_cf in enumerate(files):
        directory = parent / str(number)
        directory.mkdir()
        (directory / "master.cf").touch()
        directories.append(write_configuration(directory, main_cf))
    with ThreadPoolExecutor(max_workers=len(files)) as pool:
        theirs = pool.map(lambda each: _postconf(each, "-x", "tls_random_exchange_name"), directories)
    assert list(zip(files, map(_ours, directories), strict=True)) == list(zip(files, theirs, strict=True))


def test_an_expression_means_to_postconf_what_was_recorded(tmp_path: Path) -> None:
    """The same result, or an error from both."""
    names = "".join(f"{name} = {value}\n" for name, value in NAMES.items())
    texts = [text for text, _ in EXPANSIONS + MALFORMED]
    _compare(tmp_path, [f"{names}tls_random_exchange_name = {text}\n" for text in texts])


_PIECES = (
    *("$", "${", "$(", "{", "}", ")", "?", ":", "a", "==", "<", " ", "$a", "${a", "${e?{", "1"),
    *("}:{", "${{", "${a}", "${e?", "${a:", "} == {", "}}"),
)
_LINES = (
    *("a = b", "a=", "e =", " c", "\t# x", "# y", "", " ", "\r", "a = $e", "tls_random_exchange_name = $a"),
    *("  $e|", "\v", "mail_owner", "= x", "tls_random_exchange_name ="),
)
_many_expressions = st.lists(
    st.lists(st.sampled_from(_PIECES), max_size=9).map("".join), min_size=40, max_size=40, unique=True
)
_many_files = st.lists(
    st.lists(st.sampled_from(_LINES), max_size=9).map("\n".join), min_size=40, max_size=40, unique=True
)
#: Shrinking would start hundreds of processes; the failing text stands in the assertion.
_few = settings(max_examples=2, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


@_few
@given(_many_expressions)
def test_any_expression_means_the_same_to_postconf(texts: list[str]) -> None:
    """The same result, or an error from both."""
    with tempfile.TemporaryDirectory() as parent:
        _compare(Path(parent), [f"a = 1\ne =\ntls_random_exchange_name = {text}\n" for text in texts])


@_few
@given(_many_files)
def test_any_lines_mean_the_same_to_postconf(files: list[str]) -> None:
    """The same value, or an error from both."""
    with tempfile.TemporaryDirectory() as parent:
        _compare(Path(parent), files)
