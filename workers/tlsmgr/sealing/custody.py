"""The sealing keys of one worker, from its start to its end: what a worker needs to have and call."""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tlsmgr.config.settings import Settings
from tlsmgr.errors import ProtocolError
from tlsmgr.sealing.hand_over import HandOver, Side
from tlsmgr.sealing.key_exchange import METHOD, KeyExchange
from tlsmgr.sealing.key_file import read_key_file
from tlsmgr.sealing.key_link import KeyLink
from tlsmgr.sealing.keys import SealingKeys
from tlsmgr.sealing.other_worker import OtherWorker
from tlsmgr.sealing.sealer import Sealer
from tlsmgr.transport.peer import PeerCredentials, user_ids


class Custody:
    """Has the keys of ``tlsmgr_sealing_key_file``, or else the ones that both workers share.

    Attributes:
        sealer: uses the keys, whichever they are at the time; there is one after ``start``.

    Args:
        side: which worker this is.
        settings: where the file, the sockets and the pid files are.
        random_bytes: what a new key is made of.
    """

    sealer: Sealer

    def __init__(self, side: Side, settings: Settings, random_bytes: Callable[[int], bytes]) -> None:
        self._side = side
        self._settings = settings
        self._random_bytes = random_bytes
        self._file_keys: SealingKeys | None = None
        self._other: OtherWorker | None = None
        self._link: KeyLink | None = None
        self._exchange: KeyExchange | None = None

    @property
    def refused(self) -> int:
        """How often somebody asked for the keys who is not the other worker."""
        return 0 if self._exchange is None else self._exchange.refused

    def figures(self) -> Mapping[str, object]:
        """Return what to tell of the keys: whether a restart of this worker loses none, strangers."""
        is_safe = self._file_keys is not None or (self._exchange is not None and self._exchange.is_shared)
        impostors = 0 if self._exchange is None else self._exchange.impostors
        return {"key_shared": is_safe, "key_refused": self.refused, "key_impostors": impostors}

    @property
    def outlives_reboot(self) -> bool:
        """Whether what is sealed can be opened after the next boot."""
        return self._file_keys is not None

    def open_privileged(self) -> None:
        """Read the key file, if one is configured; only root may be able to.

        Raises:
            ConfigurationError: see ``read_key_file``.
        """
        path = self._settings.tlsmgr_sealing_key_file
        if path is not None:
            self._file_keys = SealingKeys(keys=(read_key_file(path, owners=self._owners()),))

    async def start(self) -> None:
        """Get the keys; takes well under a second. Call it before listening.

        The run directory is there and this worker's pid file is claimed: the other one looks.

        Raises:
            HostError: the run directory cannot be opened.
        """
        if self._file_keys is not None:
            self._use(self._file_keys)
            return
        directory, name = self._settings.tlsmgr_run_directory, self._side.other.value
        self._other = OtherWorker(directory, name, self._owners())
        self._link = KeyLink(directory / f"{name}.sock", self._other.is_peer)
        hand_over = HandOver(self._side, self._random_bytes, now=asyncio.get_running_loop().time())
        self._exchange = KeyExchange(hand_over, self._link, self._other.is_peer, self._use)
        await self._exchange.obtain()

    def answer(self, peer: PeerCredentials, params: tuple[object, ...]) -> Mapping[str, object]:
        """Answer the method ``sealing_key``; raises what ``KeyExchange.answer`` raises."""
        if self._exchange is None:
            raise ProtocolError(f"{METHOD} is not served: the key is in a file")
        return self._exchange.answer(peer.process_id, peer.user_id, params)

    def renew(self) -> bool:
        """Open nothing any more that was sealed so far; tell whether the key is a new one, too.

        A key in a file is for the administrator to change: what was sealed with it would open again
        in the process after this one.
        """
        if self._exchange is not None:
            self._exchange.renew()
        self.sealer.begin_anew()
        return self._exchange is not None

    async def shared(self, *, within: float) -> bool:
        """Wait until the other worker has our keys, and dropped those that we dropped; tell whether it has.

        Args:
            within: seconds to wait at most.
        """
        return self._exchange is not None and await self._exchange.shared(within=within)

    def enter_jail(self, root: Path) -> None:
        """Find the other worker's socket from inside of ``root``, if it is there at all."""
        if self._other is not None:
            self._other.enter_jail()
        if self._link is not None and self._link.path.is_relative_to(root):
            self._link.path = Path("/") / self._link.path.relative_to(root)

    def close(self) -> None:
        """Ask no more."""
        if self._exchange is not None:
            self._exchange.close()
        if self._other is not None:
            self._other.close()

    def _owners(self) -> frozenset[int]:
        return user_ids(("root", self._settings.mail_owner))

    def _use(self, keys: SealingKeys) -> None:
        if hasattr(self, "sealer"):
            self.sealer.use(keys)
        else:
            # The kernel's bytes, as the Sealer asks for.
            self.sealer = Sealer(keys, os.urandom)
