"""The verb config prints parameters as postconf(1) does."""

from rehearsal.sandbox import Sandbox
from tlsmgr.config.parameters import PARAMETERS
from tlsmgr.errors import ExitCode

_NAME = "smtpd_tls_session_cache_database"


def _lines(sandbox: Sandbox, *arguments: str) -> list[str]:
    done = sandbox.command("config", *arguments)
    assert done.returncode == ExitCode.OK, done.stderr
    return done.stdout.decode().splitlines()


def test_all_parameters(sandbox: Sandbox) -> None:
    """Without names, every parameter is printed, as main.cf has it."""
    lines = _lines(sandbox)

    assert {line.partition(" =")[0] for line in lines} == set(PARAMETERS)
    assert f"{_NAME} = diskcache:$data_directory/smtpd_scache" in lines


def test_options(sandbox: Sandbox) -> None:
    """-d gives the default, -n what is set, -x expands, -h leaves the name away."""
    explicit = _lines(sandbox, "-n")

    assert _lines(sandbox, "-d", "data_directory") == ["data_directory = /var/lib/postfix"]
    assert f"mail_owner = {sandbox.owner}" in explicit
    assert not [line for line in explicit if line.startswith("tls_random_bytes")]
    assert _lines(sandbox, "-x", _NAME) == [f"{_NAME} = diskcache:{sandbox.data}/smtpd_scache"]
    assert _lines(sandbox, "-xh", "tlsmgr_run_directory") == [str(sandbox.run)]


def test_d_and_n_exclude_each_other(sandbox: Sandbox) -> None:
    """A default is nothing that main.cf sets."""
    assert sandbox.command("config", "-d", "-n").returncode == ExitCode.USAGE


def test_the_directory_is_an_option_too(sandbox: Sandbox) -> None:
    """-c names another configuration than MAIL_CONFIG does."""
    other = sandbox.root / "other"
    other.mkdir()
    (other / "main.cf").write_text("tls_random_bytes = 64\n")

    assert _lines(sandbox, "-c", str(other), "tls_random_bytes") == ["tls_random_bytes = 64"]


def test_an_unknown_name_is_a_warning(sandbox: Sandbox) -> None:
    """As with postconf, the rest is printed, and the exit code is 0."""
    done = sandbox.command("config", "nonsense", "mail_owner")

    assert done.returncode == ExitCode.OK
    assert done.stdout.decode() == f"mail_owner = {sandbox.owner}\n"
    assert b"warning: nonsense: unknown parameter" in done.stderr
