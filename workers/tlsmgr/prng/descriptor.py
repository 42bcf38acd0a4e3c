"""Reads from a non-blocking descriptor of any kind without blocking the event loop."""

import asyncio
import os

#: Seconds between two looks at a device that no event loop can watch.
LOOK_AGAIN = 0.05


async def read_some(fd: int, size: int) -> bytes:
    """Return 1 to ``size`` bytes as soon as there are any, or none at the end of the file.

    Waits for as long as it takes: the caller sets the limit.

    Raises:
        OSError: the system cannot read it.
    """
    while True:
        try:
            return os.read(fd, size)
        except BlockingIOError:
            await _until_readable(fd)


async def _until_readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        loop.add_reader(fd, readable.set)
    except PermissionError:
        # epoll refuses devices whose driver cannot say when there is data, /dev/hwrng among them.
        await asyncio.sleep(LOOK_AGAIN)
        return
    try:
        await readable.wait()
    finally:
        loop.remove_reader(fd)
