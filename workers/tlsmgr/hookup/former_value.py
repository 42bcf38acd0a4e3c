"""What tlsmgr_service_name was before, kept beside main.cf until it is put back."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tlsmgr.errors import HostError

_NAME = "tlsmgr.former_service_name"
_SET = "set"
_UNSET = "unset"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerValue:
    """The value that main.cf had; None when it had none, so that Postfix's default held."""

    value: str | None
    ours: str = ""  #: what it was replaced with

    @classmethod
    def load(cls, directory: Path) -> Self | None:
        """Return what was saved in the configuration directory, or None if nothing was."""
        try:
            text = (directory / _NAME).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HostError(f"cannot read {directory / _NAME}: {error.strerror}") from error
        ours, _, former = text.rstrip("\n").partition("\n")
        word, _, value = former.partition(" ")
        return cls(value=value if word == _SET else None, ours=ours)

    def save(self, directory: Path) -> None:
        """Keep the value in the configuration directory, replaced in one step."""
        path = directory / _NAME
        temporary = path.with_name(f"{_NAME}.{os.getpid()}")
        try:
            text = _UNSET if self.value is None else f"{_SET} {self.value}"
            temporary.write_text(f"{self.ours}\n{text}\n", encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            raise HostError(f"cannot write {path}: {error.strerror}") from error

    @staticmethod
    def forget(directory: Path) -> None:
        """Remove what was saved."""
        try:
            (directory / _NAME).unlink(missing_ok=True)
        except OSError as error:
            raise HostError(f"cannot remove {directory / _NAME}: {error.strerror}") from error
