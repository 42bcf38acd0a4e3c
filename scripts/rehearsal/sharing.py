"""Sandboxes that share their sessions, as the hosts of a farm do."""

import os
import pwd
from pathlib import Path
from typing import Final

from rehearsal.sandbox import Sandbox
from tlsmgr.farm.secret import FarmSecret

_EPOCH_SECONDS: Final = 1800
_ONE_FARM: Final = FarmSecret.make(os.urandom, epoch_seconds=_EPOCH_SECONDS, epoch=0)


def sharing(sandbox: Sandbox, url: str, *caches: str) -> tuple[str, ...]:
    """Return the lines of main.cf with which a sandbox shares some caches; all have one secret."""
    return (
        f"tlsmgr_farm_secret_file = {secret_file(sandbox)}",
        *(f"{cache}_tls_session_cache_database = redis:{url}" for cache in caches),
    )


def secret_file(sandbox: Sandbox) -> Path:
    """Return the file with the secret of all sandboxes, in this one."""
    return farm_secret(sandbox.root / "farm-secret", sandbox.owner)


def farm_secret(path: Path, owner: str) -> Path:
    """Write the secret that all have in common to a file of this user's alone; return its path."""
    path.touch(mode=0o600)
    path.write_text(_ONE_FARM.to_text())
    user = pwd.getpwnam(owner)
    os.chown(path, user.pw_uid, user.pw_gid)
    return path
