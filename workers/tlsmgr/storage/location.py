"""Where a database or a file goes when its directory is not the mail owner's.

Postfix's rule (data_redirect(3)): what is written with the mail owner's rights, and read as
such, does not lie in a directory that belongs to somebody else.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The path to use, and the warnings to log about it (none when it is the one asked for)."""

    path: Path
    warnings: tuple[str, ...] = ()


def place_database(
    path: Path,
    *,
    data_directory: Path,
    owner_uid: int,
    mail_owner: str,
    kind: str = "table",
    name: str | None = None,
) -> Placement:
    """Return where the database or file that was configured as ``path`` is to be.

    That is ``path`` itself when the directory that it is in belongs to ``owner_uid`` or cannot be
    examined (opening it will tell why), and else its base name in ``data_directory``. Two paths
    may so become one: look for duplicates afterwards.

    Args:
        path: a directory of sessions, or a plain file.
        data_directory: the value of Postfix's parameter of that name.
        owner_uid: the user id of ``mail_owner``.
        mail_owner: the value of Postfix's parameter of that name, for the warnings.
        kind: "table" or "file", for the warnings.
        name: what the administrator wrote, for the warnings; the path when left out.
    """
    parent = path.parent
    try:
        ours = parent.stat().st_uid == owner_uid
    except OSError:
        ours = True
    if ours:
        return Placement(path=path)
    return Placement(
        path=data_directory / path.name,
        warnings=(
            f"request to update {kind} {name or path} in non-{mail_owner} directory {parent}",
            f"redirecting the request to {mail_owner}-owned data_directory {data_directory}",
        ),
    )
