"""Postfix's own postconf(1): reads and edits main.cf."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tlsmgr.errors import HostError

_TIMEOUT_SECONDS = 30


class Postconf:
    """Runs postconf on one configuration directory.

    Args:
        directory: The directory with main.cf.

    Raises:
        HostError: There is no postconf on this host.
    """

    def __init__(self, directory: Path) -> None:
        command = shutil.which("postconf", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        if command is None:
            raise HostError("postconf was not found: is Postfix installed on this host?")
        self._command = (command, "-c", str(directory))

    def value(self, name: str) -> str:
        """Return the expanded value of a parameter, its default included."""
        return self._run("-xh", name).strip()

    def explicit_value(self, name: str) -> str | None:
        """Return what main.cf sets a parameter to, unexpanded, or None if it does not."""
        line = self._run("-n", name).strip()
        _, equals, value = line.partition("=")
        return value.strip() if equals else None

    def values(self, names: Iterable[str]) -> dict[str, str]:
        """Return the expanded values of those parameters that this Postfix knows, by name."""
        pairs = (line.partition("=") for line in self._run("-x", *names).splitlines())
        return {name.strip(): value.strip() for name, _, value in pairs}

    def services(self) -> list[list[str]]:
        """Return the entries of master.cf, each with its eight fields and the command's arguments."""
        return [line.split() for line in self._run("-M").splitlines()]

    def overrides(self) -> list[tuple[str, str, str]]:
        """Return what master.cf overrides with ``-o``: service/type, name, unexpanded value."""
        found = []
        for line in self._run("-P").splitlines():
            where, _, value = line.partition("=")
            service, _, name = where.strip().rpartition("/")
            found.append((service, name, value.strip()))
        return found

    def set(self, name: str, value: str) -> None:
        """Set a parameter in main.cf."""
        self._run("-e", f"{name}={value}")

    def unset(self, name: str) -> None:
        """Remove a parameter from main.cf."""
        self._run("-X", name)

    def _run(self, *arguments: str) -> str:
        try:
            # The arguments are parameter names and values, handed over without a shell.
            done = subprocess.run(  # noqa: S603
                [*self._command, *arguments],
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_SECONDS,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            raise HostError(f"postconf failed: {error.stderr.strip()}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HostError(f"postconf could not be run: {error}") from error
        return done.stdout
