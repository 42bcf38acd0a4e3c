"""The address at which a worker tells all workers' figures, if there is one."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from socketserver import TCPServer
from typing import TypeAlias

from tlsmgr.client import Client
from tlsmgr.config.values import NetworkAddress
from tlsmgr.errors import ProtocolError, ServerUnavailableError
from tlsmgr.figures.families import AllStats
from tlsmgr.figures.metric import CACHE_SERVER, EXPIRY_SWEEPER, PRNG_SERVER

_log = logging.getLogger(__name__)

_CALL_SECONDS = 2.0


MakeServer: TypeAlias = Callable[[NetworkAddress, Callable[[], AllStats]], TCPServer]


class MetricsEndpoint:
    """Listens where it is told to. An address that cannot be had is a warning, nothing more.

    Args:
        run_directory: Where the workers' sockets are.
    """

    def __init__(self, run_directory: Path) -> None:
        self._run_directory = run_directory
        self._address: NetworkAddress | None = None
        self._server: TCPServer | None = None
        self._make_server: MakeServer | None = None

    def load(self) -> None:
        """Load the library, while its files can be read: not every user may, and not in a jail."""
        # Most hosts do without, and it takes a tenth of a second and some megabytes.
        try:
            from tlsmgr.processes.metrics_http import MetricsServer  # noqa: PLC0415 - as above
        except ImportError as error:
            _log.warning(
                "no figures over HTTP: cannot load a library (%s); if prometheus_client is installed,"
                " supervisorctl restart tlsmgr:expiry-sweeper helps",
                error,
            )
        else:
            self._make_server = MetricsServer

    def use(self, address: NetworkAddress | None) -> None:
        """Listen there from now on, and nowhere else; not at all with None."""
        if address != self._address or (address is not None and self._server is None):
            self.close()
            self._address = address
            if address is not None:
                self._listen(address)

    def enter_jail(self, root: Path) -> None:
        """Find the sockets from inside of ``root``, if they are there at all."""
        if self._run_directory.is_relative_to(root):
            self._run_directory = Path("/") / self._run_directory.relative_to(root)

    def close(self) -> None:
        """Listen no more; a request that is being answered goes on to its end."""
        if self._server is not None:
            asyncio.get_running_loop().remove_reader(self._server.fileno())
            self._server.server_close()
            self._server = None

    def _listen(self, address: NetworkAddress) -> None:
        if self._make_server is None:
            self.load()
        if self._make_server is None:
            return
        try:
            self._server = self._make_server(address, self._gather)
        except OSError as error:
            _log.warning(
                "no figures over HTTP: cannot listen at %s: %s; correct tlsmgr_metrics_address, or free the"
                " address, and send a SIGHUP",
                address,
                error.strerror,
            )
            return
        asyncio.get_running_loop().add_reader(self._server.fileno(), self._server.handle_request)
        _log.info("figures for Prometheus at http://%s/metrics", address)

    def _gather(self) -> AllStats:
        """Ask every worker, this one too; in another thread than the event loop's."""
        return {
            worker: _stats(self._run_directory / f"{worker}.sock")
            for worker in (CACHE_SERVER, PRNG_SERVER, EXPIRY_SWEEPER)
        }


def _stats(path: Path) -> dict[str, object] | None:
    try:
        with Client(path, timeout=_CALL_SECONDS) as client:
            figures = client.call("stats")
    except (ServerUnavailableError, ProtocolError):
        return None  # which tlsmgr_up says
    return figures if isinstance(figures, dict) else None
