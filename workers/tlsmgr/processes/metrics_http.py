"""Figures over HTTP, for Prometheus: short-lived threads, so that the event loop waits for nobody."""

import logging
import socket
from collections.abc import Callable, Iterator
from socketserver import TCPServer, ThreadingMixIn
from threading import BoundedSemaphore
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tlsmgr.config.values import NetworkAddress
from tlsmgr.figures.families import AllStats, families

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 10.0
# Prometheus asks one thing at a time; whoever comes on top of that is sent away.
_REQUESTS_MAX = 4


class MetricsServer(ThreadingMixIn, WSGIServer):
    """Serves one address until ``server_close``.

    It is listening when it is made. Whenever ``fileno()`` is readable, ``handle_request`` is to be
    called: it takes one connection and returns at once.

    Args:
        address: Where to listen.
        gather: Asks the workers; is called in a thread for each request.

    Raises:
        OSError: The address cannot be had.
    """

    daemon_threads = True
    block_on_close = False
    timeout = 0
    request_queue_size = 64

    def __init__(self, address: NetworkAddress, gather: Callable[[], AllStats]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._places = BoundedSemaphore(_REQUESTS_MAX)
        super().__init__((address.host, address.port), _Handler)
        self.socket.setblocking(False)  # noqa: FBT003 - socket's own signature
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Figures(gather))
        self.set_app(make_wsgi_app(registry))

    def server_bind(self) -> None:
        """Bind, without asking the DNS for our name as the library does."""
        TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the library's own
        """Answer in a thread, unless too many are under way."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as above
        """Answer, and make room for another."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as above
        """Say that a client went away or sent no HTTP; the library would print a traceback."""
        del request
        _log.info("metrics: a request from %s could not be answered", client_address)


class _Handler(WSGIRequestHandler):
    timeout = _REQUEST_SECONDS

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own
        """Log no scrapes."""


class _Figures(Collector):
    def __init__(self, gather: Callable[[], AllStats]) -> None:
        self._gather = gather

    def collect(self) -> Iterator[Metric]:
        for family in families(self._gather()):
            # The library adds _total to a counter's name itself.
            metric = Metric(family.name.removesuffix("_total"), family.help, family.kind)
            for sample in family.samples:
                metric.add_sample(sample.name, dict(sample.labels), sample.value)
            yield metric
