"""A farm through its days: who is awake, what each clock says, and clients that come back elsewhere."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from simulation.members import Member, present
from simulation.tally import Tally
from tlsmgr.farm.epochs import EpochRules

#: Seconds between two looks of the simulation.
STEP_SECONDS = 10.0


@dataclass(frozen=True, slots=True, order=True)
class Ticket:
    """A ticket, and when and where its client comes back."""

    returns_at: float
    number: int
    name: bytes
    made_at: float
    returns_to: int
    was_in_order: bool


class World:
    """Lets time pass.

    Args:
        members: the hosts.
        rules: of all of them.
        random: what happens.
        clients: tickets that are made in a step.
    """

    def __init__(self, members: Sequence[Member], rules: EpochRules, random: Random, clients: int) -> None:
        self.tally = Tally()
        self._members = members
        self._rules = rules
        self._random = random
        self._clients = clients
        self._tickets: list[Ticket] = []
        self._made = 0
        self._names_seen: set[bytes] = set()

    async def live(self, seconds: float) -> Tally:
        """Live so long, in true seconds."""
        time = 0.0
        while time < seconds:
            for member in self._members:
                await member.live(time, STEP_SECONDS)
            self._look(time)
            for _ in range(self._clients):
                self._make_ticket(time)
            self._take_tickets(time)
            time += STEP_SECONDS
        return self.tally

    def _look(self, time: float) -> None:
        for number, member in enumerate(self._members):
            if member.fate.is_awake(time) and not member.keeps_to_the_rules(time):
                self.tally.fault(f"at {time:.0f} s host {number} keeps a key past its end")
        in_order = sum(member.is_in_order(time) for member in self._members)
        awake = sum(member.fate.is_awake(time) for member in self._members)
        self.tally.samples.append((time, {"hosts awake": awake, "hosts in order": in_order}))

    def _make_ticket(self, time: float) -> None:
        maker = self._random.choice(self._members)
        if not maker.fate.is_awake(time):
            return
        current = maker.table.encryption_key(present(maker, time))
        self._made += 1
        name = self._made.to_bytes(16, "big") if current is None else current.key.name
        was_in_order = maker.is_in_order(time)
        if current is not None and was_in_order and name not in self._names_seen:
            self._check_that_all_know(name, time)
        heapq.heappush(
            self._tickets,
            Ticket(
                returns_at=time + self._random.uniform(0.0, self._rules.epoch_seconds - STEP_SECONDS),
                number=self._made,
                name=name,
                made_at=time,
                returns_to=self._random.randrange(len(self._members)),
                was_in_order=was_in_order,
            ),
        )

    def _check_that_all_know(self, name: bytes, time: float) -> None:
        """See that no key is used before everybody who is in order decrypts with it."""
        self._names_seen.add(name)
        for number, member in enumerate(self._members):
            if member.is_in_order(time) and member.table.find(name, present(member, time)) is None:
                self.tally.fault(f"at {time:.0f} s a key is used that host {number} does not know yet")

    def _take_tickets(self, time: float) -> None:
        while self._tickets and self._tickets[0].returns_at <= time:
            ticket = heapq.heappop(self._tickets)
            taker = self._members[ticket.returns_to]
            if not taker.fate.is_awake(time):
                continue
            self.tally.presented(
                time,
                is_allowed=ticket.was_in_order and taker.is_in_order(time),
                is_resumed=taker.table.find(ticket.name, present(taker, time)) is not None,
            )
