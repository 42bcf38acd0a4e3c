"""A load that knows what it was promised: clients that change, look up, and complain."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rehearsal.asking import Asker, AttributeAsker, RpcAsker, UnansweredError
from rehearsal.promises import Key, Ledger
from rehearsal.sandbox import Sandbox
from tlsmgr.errors import ProtocolError, Status
from tlsmgr.messages import (
    CacheType,
    DeleteRequest,
    LookupReply,
    LookupRequest,
    PolicyRequest,
    Reply,
    Request,
    SeedReply,
    SeedRequest,
    TicketKeyRequest,
    UpdateRequest,
    Verb,
)

_RETRY_SECONDS = 0.02
_COMPLAINTS_SHOWN = 20
#: After which part of the requests a client opens a new connection, as processes of Postfix come and go.
_RENEWALS = 0.002
#: How often each is asked, of a hundred requests.
_MIXTURE = {
    Verb.UPDATE: 40,
    Verb.LOOKUP: 35,
    Verb.DELETE: 10,
    Verb.SEED: 10,
    Verb.POLICY: 3,
    Verb.TICKET_KEY: 2,
}


@dataclass(slots=True, kw_only=True)
class Tally:
    """What all the clients have seen."""

    answered: Counter[str] = field(default_factory=Counter)  #: by verb
    promised: int = 0  #: updates answered with status 0
    refused: int = 0  #: answers that are not status 0, lookups and deletes apart
    verified: int = 0  #: promised sessions that were found again, byte for byte
    unanswered: int = 0  #: while the cache server was down: to be expected
    complaints: list[str] = field(default_factory=list)

    def complain(self, text: str) -> None:
        """Note what must not be; the first ones say enough."""
        if len(self.complaints) < _COMPLAINTS_SHOWN:
            self.complaints.append(text)


class LoadClient:
    """One client, one connection, and keys that it alone changes.

    Args:
        asker: Its connection.
        ledger: Its keys.
        tally: Where it counts.
        rng: Decides what it asks.
        lives: Gives how often the server went down or came back so far, so that an odd number
            says that it is down: what remains unanswered while it is up all the time is a fault.
        pause: Seconds between two requests.
    """

    def __init__(
        self,
        asker: Asker,
        ledger: Ledger,
        tally: Tally,
        rng: random.Random,
        *,
        lives: Callable[[], int],
        pause: float,
    ) -> None:
        self._asker, self._ledger, self._tally, self._rng = asker, ledger, tally, rng
        self._keys = list(ledger.entries)
        self._lives = lives
        self._seen_life = lives()
        self._pause = pause

    async def run(self, stopped: asyncio.Event) -> None:
        """Ask at random until it is stopped."""
        verbs, weights = list(_MIXTURE), list(_MIXTURE.values())
        while not stopped.is_set():
            (verb,) = self._rng.choices(verbs, weights)
            await self._step(verb)
            if self._rng.random() < _RENEWALS:
                self._asker.close()
            await asyncio.sleep(self._pause)

    async def verify(self) -> None:
        """Look every key up; count each promised session that is found."""
        for key in self._keys:
            if await self._look_up(key) and self._ledger.is_saved(key):
                self._tally.verified += 1

    def close(self) -> None:
        """End the connection."""
        self._asker.close()

    async def _step(self, verb: Verb) -> None:
        key = self._rng.choice(self._keys)
        if verb is Verb.UPDATE:
            await self._update(key)
        elif verb is Verb.DELETE:
            await self._delete(key)
        elif verb is Verb.LOOKUP:
            await self._look_up(key)
        else:
            await self._ask_for_more(verb)

    async def _update(self, key: Key) -> None:
        version, session = self._ledger.next_session(key)
        request = UpdateRequest(cache_type=key.cache_type, cache_id=key.cache_id, session=session)
        reply = await self._ask(request, Verb.UPDATE)
        if reply is None:
            return
        if reply.status is Status.OK:
            self._ledger.promised(key, version)
            self._tally.promised += 1
        else:
            self._tally.refused += 1

    async def _delete(self, key: Key) -> None:
        certain = self._ledger.is_saved(key)
        life = self._seen_life
        self._ledger.may_be_gone(key)
        request = DeleteRequest(cache_type=key.cache_type, cache_id=key.cache_id)
        reply = await self._ask(request, Verb.DELETE)
        if reply is None:
            return
        # A client that asked twice, over a kill, hears -1 of what its first request removed.
        if reply.status is not Status.OK and certain and self._was_undisturbed_since(life):
            self._tally.complain(f"{key}: status {reply.status} for a session that is there")
        self._ledger.promised(key, None)

    async def _look_up(self, key: Key) -> bool:
        request = LookupRequest(cache_type=key.cache_type, cache_id=key.cache_id)
        reply = await self._ask(request, Verb.LOOKUP)
        if not isinstance(reply, LookupReply):
            return False
        session = reply.session if reply.status is Status.OK else None
        complaint = self._ledger.complaint(key, session)
        if complaint is not None:
            self._tally.complain(complaint)
        return complaint is None and session is not None

    async def _ask_for_more(self, verb: Verb) -> None:
        size = self._rng.randint(1, 255)
        request: Request = SeedRequest(size=size)
        if verb is Verb.POLICY:
            request = PolicyRequest(cache_type=self._rng.choice(list(CacheType)))
        elif verb is Verb.TICKET_KEY:
            request = TicketKeyRequest(name=b"")
        reply = await self._ask(request, verb)
        if reply is None:
            return
        if reply.status is not Status.OK:
            self._tally.refused += 1
        if isinstance(reply, SeedReply) and len(reply.seed) != size:
            self._tally.complain(f"seed of {size} bytes: {len(reply.seed)} came")

    async def _ask(self, request: Request, verb: Verb) -> Reply | None:
        """Ask until there is an answer, or, for a change, once: its outcome is open then."""
        while True:
            try:
                reply = await self._asker.ask(request, verb)
            except UnansweredError as error:
                self._excuse(verb, error)
                if verb in (Verb.UPDATE, Verb.DELETE):
                    return None
                await asyncio.sleep(_RETRY_SECONDS)
            except ProtocolError as error:
                self._tally.complain(f"{verb.value}: {error}")
                return None
            else:
                self._tally.answered[verb.value] += 1
                self._seen_life = self._lives()
                return reply

    def _excuse(self, verb: Verb, error: UnansweredError) -> None:
        self._tally.unanswered += 1
        if self._was_undisturbed_since(self._seen_life):
            self._tally.complain(f"{verb.value} unanswered though nobody killed the cache server: {error}")

    def _was_undisturbed_since(self, life: int) -> bool:
        # Odd is down: an answer may have arrived just before.
        return life == self._lives() and life % 2 == 0


def clients(
    sandbox: Sandbox,
    tally: Tally,
    seed: int,
    *,
    count: int,
    keys: int,
    lives: Callable[[], int] = lambda: 0,
    pause: float = 0.0,
) -> Sequence[LoadClient]:
    """Return clients, half of each protocol, each with so many keys of its own in all three caches."""
    types = list(CacheType)
    made = []
    for number in range(count):
        own = [
            Key(cache_type=types[index % len(types)], cache_id=b"%d-%d-%d" % (seed, number, index))
            for index in range(keys)
        ]
        asker: Asker = AttributeAsker(sandbox.postfix_socket)
        if number % 2:
            asker = RpcAsker(sandbox.socket("cache-server"))
        rng = random.Random(f"{seed} {number}")  # noqa: S311 - to be repeated by its seed
        made.append(LoadClient(asker, Ledger(seed, own), tally, rng, lives=lives, pause=pause))
    return made
