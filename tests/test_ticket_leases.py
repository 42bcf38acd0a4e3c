from typing import Protocol

from hypothesis import given
from hypothesis import strategies as st

from tests.test_tickets import NOW, numbered_bytes
from tlsmgr.tickets import TicketKey, TicketKeyRing, revocation_delay


class Answering(Protocol):
    """What an smtpd asks."""

    timeout: int

    def answer(self, name: bytes, now: int) -> TicketKey | None:
        """Answer a tktkey request."""


class Smtpd:
    """One smtpd process with two keys of its own (tls_mgr_key), which asks only for what it lacks.

    It decrypts with a key for a whole cache timeout after the key's tout: for half of OpenSSL's
    session timeout, which tls_server_init sets to twice the cache's.
    """

    def __init__(self, server: Answering) -> None:
        self.server = server
        self.slots: list[TicketKey] = []

    def encrypts_with(self, now: int) -> bytes:
        """Return the name of the key that a new ticket is made with."""
        if self.slots and self.slots[0].encrypts_until > now:
            return self.slots[0].name
        key = self.server.answer(b"", now)
        assert key is not None
        self._keep(key)
        return key.name

    def accepts(self, name: bytes, now: int) -> bool:
        """Tell whether a ticket made with the key of that name is taken, asking if need be."""
        for key in self.slots:
            if key.name == name:
                if key.encrypts_until + self.server.timeout > now:
                    return True
                break
        answered = self.server.answer(name, now)
        if answered is None:
            return False
        self._keep(answered)
        return True

    def _keep(self, key: TicketKey) -> None:
        self.slots[1:] = [key]
        if len(self.slots) == 2 and self.slots[0].encrypts_until < key.encrypts_until:
            self.slots.reverse()


class LeasingServer:
    """A cache server's ticket keys, given out on a lease."""

    def __init__(self, timeout: int, lease: int) -> None:
        self.timeout, self.lease = timeout, lease
        self.ring = TicketKeyRing()
        self.random = numbered_bytes()
        self.longest_left = 0

    def answer(self, name: bytes, now: int) -> TicketKey | None:
        """Answer a tktkey request."""
        if name:
            key = self.ring.find(name, now=now, timeout=self.timeout)
        else:
            self.ring, key = self.ring.encryption_key(now=now, timeout=self.timeout, random_bytes=self.random)
        if key is None:
            return None
        leased = key.leased(now, self.lease)
        self.longest_left = max(self.longest_left, leased.encrypts_until - now)
        return leased


LEASES = st.one_of(st.just(0), st.integers(1, 300))


@given(st.integers(120, 600), st.integers(1, 300), st.lists(st.integers(0, 200), min_size=1, max_size=30))
def test_no_key_is_given_out_with_more_than_the_lease_left_to_encrypt(
    timeout: int, lease: int, pauses: list[int]
) -> None:
    """Neither the key to encrypt with nor one that is asked for by its name, which smtpd keeps as well."""
    server, now = LeasingServer(timeout, lease), NOW
    for pause in pauses:
        now += pause
        key = server.answer(b"", now)
        assert key is not None
        assert now < key.encrypts_until <= now + lease
        assert server.answer(key.name, now) == key
    assert server.longest_left <= min(lease, timeout // 2 - 1)


@given(st.integers(120, 600), LEASES, st.lists(st.integers(0, 200), min_size=1, max_size=30))
def test_a_lease_changes_neither_the_keys_nor_how_long_they_decrypt(
    timeout: int, lease: int, pauses: list[int]
) -> None:
    """The same keys at the same times as without one, under the same names."""
    leasing, plain, now = LeasingServer(timeout, lease), LeasingServer(timeout, 0), NOW
    names: set[bytes] = set()
    for pause in pauses:
        now += pause
        given_out, key = leasing.answer(b"", now), plain.answer(b"", now)
        assert given_out is not None
        assert key is not None
        assert given_out.pack()[:80] == key.pack()[:80]
        names.add(key.name)
        for name in names:
            assert (leasing.answer(name, now) is None) == (plain.answer(name, now) is None)
    assert leasing.ring == plain.ring


@given(
    st.integers(120, 600),
    LEASES,
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 2), st.booleans()), min_size=1, max_size=40),
)
def test_after_a_revocation_no_smtpd_takes_an_old_ticket_for_longer_than_was_said(
    timeout: int, lease: int, steps: list[tuple[int, int, bool]]
) -> None:
    """Whatever they asked for before, and though they exchange each other's tickets afterwards."""
    server, now = LeasingServer(timeout, lease), NOW
    processes = [Smtpd(server) for _ in range(3)]
    issued: set[bytes] = set()
    for pause, number, encrypts in steps:
        now += pause
        if encrypts:
            issued.add(processes[number].encrypts_with(now))
        else:
            for name in issued:
                processes[number].accepts(name, now)
    server.ring = server.ring.revoked()
    now += revocation_delay(timeout=timeout, lease=lease)
    assert not any(process.accepts(name, now) for process in processes for name in issued)


def test_the_time_that_a_revocation_takes_is_what_smtpd_does_at_the_worst() -> None:
    """A process that got its key in the moment before takes the ticket until the last second."""
    for timeout, lease, expected in [(3600, 0, 5399), (3600, 60, 3660), (3600, 5000, 5399), (120, 0, 179)]:
        assert revocation_delay(timeout=timeout, lease=lease) == expected
        server = LeasingServer(timeout, lease)
        process = Smtpd(server)
        name = process.encrypts_with(NOW)
        server.ring = server.ring.revoked()
        assert process.accepts(name, NOW + expected - 1)
        assert not process.accepts(name, NOW + expected)
    assert revocation_delay(timeout=0, lease=60) == 0


def test_a_revoked_ring_makes_a_new_key_and_knows_none_of_the_old_ones() -> None:
    """At once, for the next request."""
    random = numbered_bytes()
    ring, old = TicketKeyRing().encryption_key(now=NOW, timeout=3600, random_bytes=random)
    ring, new = ring.revoked().encryption_key(now=NOW, timeout=3600, random_bytes=random)
    assert old is not None
    assert new is not None
    assert new != old
    assert ring.find(old.name, now=NOW, timeout=3600) is None
