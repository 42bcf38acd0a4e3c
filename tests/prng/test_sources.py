import asyncio
import os
from contextlib import closing
from pathlib import Path

import pytest

from tests.prng.loops import SHORT, Run
from tlsmgr.errors import ConfigurationError, HostError
from tlsmgr.prng.sources import DeviceSource, EgdSource, FileSource, Source, SourceError, parse_source


def device(path: Path | str, *, time_limit: float = 5.0) -> Source:
    """Return the opened source ``dev:path``."""
    source = parse_source(f"dev:{path}", time_limit=time_limit)
    assert source is not None
    source.open()
    return source


def fifo(tmp_path: Path) -> Path:
    """Make a FIFO."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("dev:/dev/urandom", DeviceSource),
        ("egd:/run/egd", EgdSource),
        ("/etc/entropy", FileSource),
        ("device", FileSource),
        ("DEV:/dev/urandom", FileSource),
    ],
)
def test_the_prefix_tells_the_kind(name: str, kind: type[Source]) -> None:
    """The prefixes are Postfix's, letter by letter; all else is a plain file."""
    source = parse_source(name)
    assert type(source) is kind
    assert source.name == name


def test_an_empty_name_is_no_source() -> None:
    """The parameter may be empty."""
    assert parse_source("") is None


@pytest.mark.parametrize("name", ["dev:", "egd:"])
def test_a_prefix_without_a_path_is_a_configuration_error(name: str) -> None:
    """The error names the parameter."""
    with pytest.raises(ConfigurationError, match=r"tls_random_source = .*expected a path"):
        parse_source(name)


def test_a_device_that_is_never_empty_gives_all_that_was_asked_for(run: Run[bytes]) -> None:
    """/dev/urandom, for more than one piece."""
    with closing(device("/dev/urandom")) as source:
        assert len(run(source.read(32))) == 32
        assert len(run(source.read(200_000))) == 200_000


def test_a_device_that_no_loop_can_watch_is_read(run: Run[bytes]) -> None:
    """/dev/zero, as /dev/hwrng, is refused by epoll."""
    with closing(device("/dev/zero")) as source:
        assert run(source.read(32)) == bytes(32)


def test_a_terminal_without_input_is_a_stuck_device(run: Run[bytes]) -> None:
    """A real device that never delivers: the read ends with the time."""
    master, slave = os.openpty()
    try:
        with (
            closing(device(os.ttyname(slave), time_limit=SHORT)) as source,
            pytest.raises(SourceError, match=r"nothing came within 0\.05 s"),
        ):
            run(source.read(32))
    finally:
        os.close(master)
        os.close(slave)


def test_a_fifo_is_waited_for_without_stopping_the_loop(tmp_path: Path, run: Run[bytes]) -> None:
    """A writer in the same loop comes while the read waits."""
    path = fifo(tmp_path)

    async def read() -> bytes:
        with closing(device(path)) as source:
            reading = asyncio.ensure_future(source.read(4))
            await asyncio.sleep(0)
            for piece in (b"ab", b"cd"):
                writer = os.open(path, os.O_WRONLY)
                os.write(writer, piece)
                os.close(writer)
                await asyncio.sleep(0)
            return await reading

    assert run(read()) == b"abcd"


def test_a_fifo_survives_its_writers(tmp_path: Path, run: Run[list[bytes]]) -> None:
    """Each writer that leaves would be an end of file, were it not for our own end."""
    path = fifo(tmp_path)

    async def read() -> list[bytes]:
        blocks = []
        with closing(device(path)) as source:
            for piece in (b"first", b"other"):
                writer = os.open(path, os.O_WRONLY)
                os.write(writer, piece)
                os.close(writer)
                blocks.append(await source.read(5))
        return blocks

    assert run(read()) == [b"first", b"other"]


def test_a_slow_device_gives_what_it_had(tmp_path: Path, run: Run[bytes]) -> None:
    """Two of 32 bytes in time are better than none."""
    path = fifo(tmp_path)
    with closing(device(path, time_limit=SHORT)) as source:
        writer = os.open(path, os.O_WRONLY)
        os.write(writer, b"ab")
        os.close(writer)
        assert run(source.read(32)) == b"ab"


def test_a_fifo_without_a_writer_ends_with_the_time(tmp_path: Path, run: Run[bytes]) -> None:
    """Opening returns at once, reading after the limit."""
    with (
        closing(device(fifo(tmp_path), time_limit=SHORT)) as source,
        pytest.raises(SourceError, match="check what should feed it"),
    ):
        run(source.read(32))


def test_a_device_at_its_end_is_an_error_until_opened_anew(tmp_path: Path, run: Run[bytes]) -> None:
    """A regular file behind ``dev:`` is read on from where it was, as Postfix does."""
    path = tmp_path / "file"
    path.write_bytes(b"12345678")
    with closing(device(path)) as source:
        assert run(source.read(6)) == b"123456"
        assert run(source.read(6)) == b"78"
        with pytest.raises(SourceError, match="at its end"):
            run(source.read(6))
        source.open()
        assert run(source.read(6)) == b"123456"


def test_a_device_whose_path_is_gone_stays_open(tmp_path: Path, run: Run[bytes]) -> None:
    """As after a chroot: opening anew keeps the descriptor that still works."""
    link = tmp_path / "device"
    link.symlink_to("/dev/urandom")
    with closing(device(link)) as source:
        link.unlink()
        source.open()
        assert len(run(source.read(16))) == 16


@pytest.mark.parametrize("name", ["dev:{}/none", "{}/none", "egd:{}/none"])
def test_what_cannot_be_opened_says_what_to_do(tmp_path: Path, name: str) -> None:
    """The message names the source, the reason and the way out, and is the host's fault."""
    source = parse_source(name.format(tmp_path))
    assert source is not None
    with pytest.raises(SourceError, match=r"No such file.*set tls_random_source to dev:/dev/urandom"):
        source.open()
    assert issubclass(SourceError, HostError)


@pytest.mark.parametrize("name", ["dev:/dev/urandom", "egd:/run/egd", "/etc/hostname"])
def test_reading_before_opening_is_an_error_and_closing_is_not(name: str, run: Run[bytes]) -> None:
    """The keeper opens again after any error."""
    source = parse_source(name)
    assert source is not None
    source.close()
    with pytest.raises(SourceError, match="is not open"):
        run(source.read(1))


def test_a_directory_as_a_source_is_an_error(tmp_path: Path, run: Run[bytes]) -> None:
    """It can be opened, but not read."""
    with closing(device(tmp_path)) as source, pytest.raises(SourceError, match="Is a directory"):
        run(source.read(1))


def test_a_plain_file_is_read_once_and_closed(tmp_path: Path, run: Run[bytes]) -> None:
    """At most what was asked for, from the start; then there is nothing more to read."""
    path = tmp_path / "entropy"
    path.write_bytes(b"12345678")
    source = parse_source(str(path))
    assert source is not None
    source.open()
    before = source.spent
    assert run(source.read(6)) == b"123456"
    assert (before, source.spent) == (False, True)
    with pytest.raises(SourceError, match="is not open"):
        run(source.read(6))


def test_an_empty_file_is_an_error_and_can_be_tried_again(tmp_path: Path, run: Run[bytes]) -> None:
    """It is not spent: somebody may fill it."""
    path = tmp_path / "entropy"
    path.touch()
    source = parse_source(str(path))
    assert source is not None
    with closing(source):
        source.open()
        with pytest.raises(SourceError, match="at its end"):
            run(source.read(6))
        assert not source.spent
