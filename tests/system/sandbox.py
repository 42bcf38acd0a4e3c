"""A configuration for our workers where there is no Postfix."""

import os
import pwd
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Who the workers become when root starts them: a user that every host has.
_UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """The directories of the workers' own main.cf, all of them private to one test."""

    config_directory: Path
    queue_directory: Path
    data_directory: Path
    mail_owner: str


def make_sandbox(directory: Path, parameters: Mapping[str, str]) -> Sandbox:
    """Make a sandbox below ``directory``, with these parameters in its main.cf."""
    owner = pwd.getpwnam(_UNPRIVILEGED) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    sandbox = Sandbox(
        config_directory=directory / "config",
        queue_directory=directory / "spool",
        data_directory=directory / "data",
        mail_owner=owner.pw_name,
    )
    sandbox.config_directory.mkdir()
    sandbox.queue_directory.mkdir()
    for private in (sandbox.queue_directory / "private", sandbox.data_directory):
        private.mkdir(mode=0o700)
        shutil.chown(private, owner.pw_uid, owner.pw_gid)
    own = {
        "mail_owner": sandbox.mail_owner,
        "queue_directory": str(sandbox.queue_directory),
        "data_directory": str(sandbox.data_directory),
    }
    lines = (f"{name} = {value}\n" for name, value in {**own, **parameters}.items())
    (sandbox.config_directory / "main.cf").write_text("".join(lines))
    return sandbox
