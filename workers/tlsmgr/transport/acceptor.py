"""Accepts connections on a listening socket, and outlives a shortage of descriptors.

The event loop's own servers do not: uvloop's closes its listening socket for good, and says
nothing, when accept() fails once for want of a descriptor.
"""

import asyncio
import errno
import select
import socket
from collections.abc import Callable

# Connections of one turn of the event loop, 30 to 60 us each: a storm of new clients must not hold up
# the others, whose requests are answered in the same turn.
_ACCEPTED_PER_TURN = 8
_PAUSE_SECONDS = 0.02
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor:
    """Takes new connections off a socket's queue while it is told to.

    Args:
        listener: Listening and non-blocking; whoever made it closes it.
        take: Is given each accepted socket, non-blocking, and owns it.
        on_shortage: Is told of an accept() that failed for want of a descriptor or of memory.
            The connection stays in the queue; a little later accepting is tried again.
    """

    def __init__(
        self,
        listener: socket.socket,
        take: Callable[[socket.socket], None],
        on_shortage: Callable[[OSError], None],
    ) -> None:
        self._listener = listener
        self._take = take
        self._on_shortage = on_shortage
        self._loop = asyncio.get_running_loop()
        self._is_accepting = False
        self._pause: asyncio.TimerHandle | None = None

    def resume(self) -> None:
        """Accept from now on; while already accepting, do nothing."""
        self._end_pause()
        if not self._is_accepting:
            self._is_accepting = True
            self._loop.add_reader(self._listener, self._accept)

    def stop(self) -> None:
        """Accept no more until ``resume``: new connections wait in the queue."""
        self._end_pause()
        if self._is_accepting:
            self._is_accepting = False
            self._loop.remove_reader(self._listener)

    def pause(self, has_room: Callable[[], bool]) -> None:
        """Accept no more until ``resume``, or until somebody waits and there is room again.

        Args:
            has_room: Is asked every 20 ms while somebody waits.
        """
        self.stop()
        self._pause = self._loop.call_later(_PAUSE_SECONDS, self._try_again, has_room)

    def _try_again(self, has_room: Callable[[], bool]) -> None:
        if self._somebody_waits() and has_room():
            self.resume()
        else:
            self.pause(has_room)

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_PER_TURN):
            if not self._is_accepting:
                return
            try:
                accepted, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _SHORTAGES:
                    raise
                if self._somebody_waits():
                    self._wait_a_little(error)
                return
            accepted.setblocking(False)  # noqa: FBT003 - socket's own signature
            self._take(accepted)

    def _somebody_waits(self) -> bool:
        # accept() looks for a descriptor first, and for a connection after that.
        queue = select.poll()
        queue.register(self._listener, select.POLLIN)
        return bool(queue.poll(0))

    def _wait_a_little(self, error: OSError) -> None:
        self.stop()
        self._pause = self._loop.call_later(_PAUSE_SECONDS, self.resume)
        self._on_shortage(error)

    def _end_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
