"""TLS handshakes with a mail server, one after the other.

``openssl s_time`` counts whole seconds only, closes sessions so that servers forget them, and
cannot keep itself from asking for tickets. This does the same with OpenSSL through Python: at
a millisecond a handshake, Python's own share is small, and the same for both servers.
"""

import socket
import ssl
import time
from dataclasses import dataclass
from statistics import quantiles

from benchmark.load import LoadError, Measurement
from rehearsal.loopback import HOST

_TIMEOUT = 20.0
_NAME = "localhost"
#: So many latencies have percentiles.
_FEWEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A way to shake hands with TLS 1.2.

    Attributes:
        name: What the report calls it.
        tickets: Whether the client takes tickets. Without, the server keeps the session.
        resumed: Whether an earlier session is used again.
    """

    name: str
    tickets: bool
    resumed: bool


KINDS = (
    Kind(name="handshake, full, ticket made", tickets=True, resumed=False),
    Kind(name="handshake, full, session saved", tickets=False, resumed=False),
    Kind(name="handshake, resumed by ticket", tickets=True, resumed=True),
    Kind(name="handshake, resumed by session id", tickets=False, resumed=True),
)


class Client:
    """Shakes hands with the mail server on ``port``, which speaks TLS from the first byte."""

    def __init__(self, port: int, kind: Kind) -> None:
        self._port = port
        self._kind = kind
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self._context.maximum_version = ssl.TLSVersion.TLSv1_2
        if not kind.tickets:
            self._context.options |= ssl.OP_NO_TICKET

    def measure(self, seconds: float) -> Measurement:
        """Shake hands for that long, after one that does not count; all latencies are of handshakes alone.

        Raises:
            LoadError: A session was not resumed, or was when it should not; or the server is silent.
        """
        try:
            session = self._connect(None)[1]
            latencies: list[float] = []
            started = time.monotonic()
            while (now := time.monotonic()) < started + seconds or len(latencies) < _FEWEST:
                latencies.append(self._connect(session if self._kind.resumed else None)[0])
        except OSError as error:
            raise LoadError(f"port {self._port}: {self._kind.name}: {error}") from error
        cuts = quantiles(latencies, n=100)
        rate = len(latencies) / (now - started)
        return Measurement(rate=rate, median=cuts[49] * 1e6, p99=cuts[98] * 1e6, errors=0)

    def _connect(self, session: ssl.SSLSession | None) -> tuple[float, ssl.SSLSession | None]:
        started = time.monotonic()
        with (
            socket.create_connection((HOST, self._port), _TIMEOUT) as connection,
            self._context.wrap_socket(connection, server_hostname=_NAME, session=session) as secured,
        ):
            took = time.monotonic() - started
            # The server's greeting waits until the end of the handshake is acknowledged (Nagle),
            # and that would wait for 40 ms, as the client has nothing to say before the greeting.
            secured.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if secured.session_reused != (session is not None):
                raise LoadError(f"{self._kind.name}: session resumed: {secured.session_reused}")
            _quit(secured)
            return took, secured.session


def _quit(secured: ssl.SSLSocket) -> None:
    """Leave in order: a server forgets the session of a client that does not."""
    secured.recv(512)
    secured.sendall(b"QUIT\r\n")
    secured.recv(512)
    try:
        secured.unwrap().close()
    except ssl.SSLError as error:
        raise LoadError(f"the mail server did not end the TLS connection in order: {error}") from error
