"""An LMTP server with STARTTLS that is not Postfix's: Postfix has none."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from rehearsal.certificate import Certificate
from rehearsal.loopback import HOST, free_port


@dataclass(slots=True, kw_only=True)
class Deliveries:
    """What the server saw: its port, and for each message whether its TLS session was a resumed one."""

    port: int
    resumed: list[bool] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, session: Session, _envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Accept a message, and note how its connection came to its TLS session."""
        assert session.ssl is not None, "a message came without TLS"
        self.resumed.append(session.ssl["ssl_object"].session_reused)
        return "250 taken"


class _LmtpController(Controller):
    tls_context: ssl.SSLContext

    def factory(self) -> SMTP:
        # Its require_starttls refuses LHLO too, so the handler sees to it that TLS was used.
        return LMTP(self.handler, tls_context=self.tls_context)


@contextmanager
def lmtp_server(certificate: Certificate) -> Iterator[Deliveries]:
    """Serve LMTP with STARTTLS and session tickets on a port of the loopback interface."""
    deliveries = Deliveries(port=free_port())
    controller = _LmtpController(deliveries, hostname=HOST, port=deliveries.port)
    controller.tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    controller.tls_context.load_cert_chain(certificate.certificate, certificate.key)
    controller.start()
    try:
        yield deliveries
    finally:
        controller.stop()
