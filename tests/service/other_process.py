"""Another process at the same store: ours talks to it in lines of JSON. Run as a module."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.service.stores import session_sealer
from tlsmgr.storage.sessions import Put, Remove, SessionStore


class OtherProcess:
    """A process that changes a store when it is told to.

    Args:
        directory: The store's.
    """

    def __init__(self, directory: Path) -> None:
        command = [sys.executable, "-m", __name__, str(directory)]
        self._process = subprocess.Popen(  # noqa: S603 - this very module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def put(self, cache_id: bytes, session: bytes, stored_at: float, expires_at: float) -> None:
        """Save a session; it is committed when this returns."""
        self._tell("put", cache_id.hex(), session.hex(), stored_at, expires_at)

    def remove(self, cache_id: bytes) -> None:
        """Remove a session; likewise."""
        self._tell("remove", cache_id.hex())

    def sweep(self, now: float) -> None:
        """Remove all that has expired."""
        self._tell("sweep", now)

    def close(self, *, durably: bool) -> None:
        """Close the store, which is the last thing to ask for."""
        self._tell("close", durably)

    def _tell(self, *order: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"


def _obey(store: SessionStore, order: str, arguments: list[Any]) -> None:
    if order == "put":
        cache_id, session, stored_at, expires_at = arguments
        put = Put(
            cache_id=bytes.fromhex(cache_id),
            session=bytes.fromhex(session),
            stored_at=stored_at,
            expires_at=expires_at,
        )
        store.apply(session_sealer().sealed([put]))
    elif order == "remove":
        store.apply([Remove(cache_id=bytes.fromhex(arguments[0]))])
    elif order == "close":
        store.close(durably=arguments[0])
    else:
        store.remove_expired(arguments[0], 1000)


def _serve(directory: Path) -> None:
    with SessionStore(directory, checkpoints=False, lock_wait=5.0, open_wait=5.0) as store:
        for line in sys.stdin:
            order, *arguments = json.loads(line)
            _obey(store, order, arguments)
            sys.stdout.write("done\n")
            sys.stdout.flush()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
