"""``tlsmgr_sealing_key_file``: a key that outlives a reboot, made by the administrator.

For a file that systemd-creds(1) or a TPM unseals, or one on a removable device. What stands
in it is 32 random bytes: as they are, in hex (64 digits) or in base64 (44 characters), the
latter two with white space around or not. So all of these make one::

    head -c 32 /dev/urandom > KEYFILE
    openssl rand -hex 32 > KEYFILE
    openssl rand -base64 32 > KEYFILE
"""

import binascii
from collections.abc import Collection
from pathlib import Path

from tlsmgr.private_file import bad_private_file, read_private_file
from tlsmgr.sealing.keys import SEALING_KEY_SIZE, SealingKey

_PARAMETER = "tlsmgr_sealing_key_file"
_SIZE_MAX = 256
_HEX_SIZE = 2 * SEALING_KEY_SIZE


def read_key_file(path: Path, *, owners: Collection[int]) -> SealingKey:
    """Return the key in the file at ``path``. Call this before root's rights are given up.

    Args:
        path: the value of the parameter. The file itself must not be a symbolic link.
        owners: the user ids that may own the file: root's and ``$mail_owner``'s.

    Raises:
        ConfigurationError: there is no such file, others than its owner may use it, somebody
            else owns it, or it holds no key. The message does not quote what it holds.
    """
    content = read_private_file(path, parameter=_PARAMETER, owners=owners, size_max=_SIZE_MAX)
    secret = _secret(content)
    if secret is None:
        raise bad_private_file(
            _PARAMETER,
            path,
            f"holds no key: expected {SEALING_KEY_SIZE} random bytes, or those in hex (64 digits)"
            " or in base64 (44 characters); openssl rand -hex 32 makes one",
        )
    return SealingKey(secret)


def _secret(content: bytes) -> bytes | None:
    if len(content) == SEALING_KEY_SIZE:
        # Text of this length is a password, or half a key in hex; random bytes never look like it.
        return None if content.isascii() or len(set(content)) == 1 else content
    text = content.strip()
    try:
        secret = bytes.fromhex(text.decode()) if len(text) == _HEX_SIZE else _from_base64(text)
    except ValueError:
        return None
    return secret if len(secret) == SEALING_KEY_SIZE and len(set(secret)) > 1 else None


def _from_base64(text: bytes) -> bytes:
    return binascii.a2b_base64(text, strict_mode=True)
