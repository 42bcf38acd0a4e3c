import os
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.errors import ConfigurationError
from tlsmgr.sealing.key_file import _secret, read_key_file
from tlsmgr.sealing.keys import SealingKey

SECRET = bytes(range(100, 132))
US = {os.geteuid()}


def key_file(path: Path, content: bytes = SECRET, mode: int = 0o400) -> Path:
    """Make a key file."""
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "content",
    [
        SECRET,
        SECRET.hex().encode(),
        SECRET.hex().upper().encode() + b"\n",
        b64encode(SECRET),
        b" " + b64encode(SECRET) + b"\r\n",
    ],
)
@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_a_key_is_read_in_each_of_its_forms(tmp_path: Path, content: bytes, mode: int) -> None:
    """As bytes, in hex and in base64, for its owner alone to read."""
    assert read_key_file(key_file(tmp_path / "key", content, mode), owners=US) == SealingKey(SECRET)


@given(
    st.binary(min_size=32, max_size=32).filter(lambda secret: not secret.isascii() and len(set(secret)) > 1)
)
def test_every_key_goes_through_every_form(secret: bytes) -> None:
    """White space at its ends included."""
    for content in (secret, secret.hex().encode(), b64encode(secret) + b"\n"):
        assert _secret(content) == secret


@given(st.binary(max_size=200))
def test_arbitrary_content_is_a_whole_key_or_none(content: bytes) -> None:
    """Never a shorter one, and never another error."""
    secret = _secret(content)
    assert secret is None or len(secret) == 32


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(32),
        b"00" * 32,
        b"correct horse battery staple 123",
        SECRET[:16].hex().encode(),
        SECRET + b"\n",
        SECRET[:31],
        SECRET.hex().encode() + b"00",
        b64encode(SECRET).rstrip(b"="),
        b64encode(SECRET)[:20] + b"\n" + b64encode(SECRET)[20:],
        bytes(255),
    ],
)
def test_anything_that_is_no_key_is_a_configuration_error(tmp_path: Path, content: bytes) -> None:
    """The message names the parameter, the file and what makes a key, and quotes nothing."""
    with pytest.raises(
        ConfigurationError, match=r"tlsmgr_sealing_key_file: .*key holds no key: expected"
    ) as raised:
        read_key_file(key_file(tmp_path / "key", content), owners=US)
    assert not content or repr(content)[2:-1] not in str(raised.value)


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o640, 0o660, 0o500, 0o4400])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    """They may have read it, or have put it there."""
    with pytest.raises(ConfigurationError, match=f"mode {mode:04o}; expected 0400 or 0600"):
        read_key_file(key_file(tmp_path / "key", mode=mode), owners=US)


def test_a_key_of_another_user_is_refused(tmp_path: Path) -> None:
    """Only root's or the mail owner's is believed."""
    with pytest.raises(ConfigurationError, match="belongs to user"):
        read_key_file(key_file(tmp_path / "key"), owners={os.geteuid() + 1})


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    """Nor is what stands in a file's place read, or waited for."""
    key_file(tmp_path / "key")
    (tmp_path / "link").symlink_to("key")
    os.mkfifo(tmp_path / "fifo", 0o600)
    for name, reason in {"link": "symbolic link", "fifo": "no regular file", ".": "no regular file"}.items():
        with pytest.raises(ConfigurationError, match=reason):
            read_key_file(tmp_path / name, owners=US)


def test_a_missing_file_is_the_administrators_fault(tmp_path: Path) -> None:
    """The worker ends with the exit code that a restart does not help."""
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_key_file(tmp_path / "key", owners=US)
