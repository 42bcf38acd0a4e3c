"""What tlsmgr_service_name was before, kept beside main.cf until it is put back."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tlsmgr.errors import HostError
from tlsmgr.storage.small_file import SmallFile

_NAME = "tlsmgr.former_service_name"
# As main.cf, in which the value stood.
_MODE = 0o644
# More than postconf takes.
_SIZE_MAX = 1 << 20
_ADVICE = "remove it, and set tlsmgr_service_name in main.cf to what it was before"
_SET = "set"
_UNSET = "unset"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerValue:
    """The value that main.cf had; None when it had none, so that Postfix's default held."""

    value: str | None
    ours: str = ""  #: what it was replaced with

    @classmethod
    def load(cls, directory: Path) -> Self | None:
        """Return what was saved in the configuration directory, or None if nothing was.

        Raises:
            HostError: it cannot be read.
        """
        path = directory / _NAME
        try:
            with _opened(path) as file:
                text = file.read().decode()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HostError(f"cannot read {path}: {error.strerror}; {_ADVICE}") from error
        except UnicodeDecodeError as error:
            raise HostError(f"cannot read {path}: it is not what was written there; {_ADVICE}") from error
        if not text.strip("\0"):  # as the machine's death may leave it
            return None
        ours, _, former = text.rstrip("\n").partition("\n")
        word, _, value = former.partition(" ")
        return cls(value=value if word == _SET else None, ours=ours)

    def save(self, directory: Path) -> None:
        """Keep the value in the configuration directory, replaced in one step."""
        path = directory / _NAME
        text = _UNSET if self.value is None else f"{_SET} {self.value}"
        try:
            with _opened(path) as file:
                file.replace(f"{self.ours}\n{text}\n".encode())
                file.sync()  # before main.cf is changed, which then would not be known to be ours
        except OSError as error:
            raise HostError(f"cannot write {path}: {error.strerror}") from error

    @staticmethod
    def forget(directory: Path) -> None:
        """Remove what was saved."""
        try:
            (directory / _NAME).unlink(missing_ok=True)
        except OSError as error:
            raise HostError(f"cannot remove {directory / _NAME}: {error.strerror}") from error


@contextmanager
def _opened(path: Path) -> Iterator[SmallFile]:
    # Whoever has the directory may have written it, and root anywhere.
    owners = {0, path.parent.stat().st_uid}
    with closing(SmallFile(path, size_max=_SIZE_MAX, mode=_MODE, owners=owners)) as file:
        file.open()
        yield file
