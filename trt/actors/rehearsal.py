"""Rehearsal: what a standby will have to do, it does some times before, and takes it back."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import msgspec
import trio
from attrs import frozen

from trt.actors.bells import Bell
from trt.actors.handling import Handled, handle
from trt.actors.job_board import JobBoard
from trt.actors.settlement import Clerk
from trt.actors.update_desk import Shop, Stamp
from trt.domain.ids import DraftId, JobId, Shard
from trt.domain.payments import OrderId
from trt.sources import Sources
from trt.storage import inbox, outbox
from trt.storage.database import Database, Refusal, Transaction
from trt.storage.errors import DatabaseUnavailable
from trt.storage.inbox import InboxRow
from trt.storage.outbox import OutboxId, Sent
from trt.supervision import Context
from trt.telegram.updates import UPDATE_ID_MAX, BadUpdate

TIMES = 5
"""A server prepares a statement when it comes for the fourth time."""
NOBODY_ID = 2**52
"""The first of the ids that no user has: they have at most 52 bits (Bot API, User)."""
_NO_EPOCH = 0
_NO_SHARD = Shard(-1)


@frozen
class TakenBack(Refusal):
    """Nothing of it was kept: it was only a rehearsal."""


@frozen(kw_only=True)
class RehearsalParts:
    """What a rehearsal needs of the passive branch."""

    db: Database
    opened: Bell
    """Rung when the connections may be new, as the one for wake-ups is."""
    open_seats: Callable[[], Awaitable[int]]
    """Makes the missing connections; each has its own prepared statements."""
    receive: Callable[[bytes], InboxRow | BadUpdate]
    """Reads an update."""
    sources: Sources
    shop: Shop
    shard: Shard


class Rehearsal:
    """Handles a command and a tap of nobody on every connection, and has it all rolled back.

    Then the server has prepared the statements, and the first users after a takeover wait no
    longer than the others. It does so once for each ring, because connections to a server that was
    restarted have nothing prepared. Receives nothing and keeps nothing.
    """

    def __init__(self, parts: RehearsalParts) -> None:
        self._parts = parts

    async def run(self, ctx: Context[None]) -> None:
        """Rehearse whenever the bell rings, until asked to stop."""
        ctx.ready()
        while not ctx.is_stopping:
            seats = 0
            with ctx.stop.interrupts():
                await self._parts.opened.wait()
                seats = await self._parts.open_seats()
            async with trio.open_nursery() as nursery:
                for seat in range(seats):
                    nursery.start_soon(self._play, ctx, seat)

    async def _play(self, ctx: Context[None], seat: int) -> None:
        parts = self._parts
        clerk = Clerk(
            catalogue=parts.shop.catalogue,
            copies=parts.shop.copies,
            board=JobBoard(),
            epoch=_NO_EPOCH,
            shard=parts.shard,
        )
        with suppress(DatabaseUnavailable):  # then it will be slow at first
            for _ in range(TIMES):
                if not ctx.is_stopping:
                    await parts.db.transact(
                        rehearse, self._updates(seat), parts.shop, clerk, self._stamp()
                    )

    def _updates(self, seat: int) -> list[InboxRow]:
        """Return a command and a tap of nobody.

        Each seat has its own nobody, or they would wait for each other's locks.
        """
        nobody = {"id": NOBODY_ID + seat, "is_bot": False, "first_name": "-", "language_code": "ru"}
        message = {
            "message_id": 1,
            "date": 0,
            "chat": {"id": nobody["id"], "type": "private"},
            "from": nobody,
            "text": "/start",
        }
        tap = {"id": "-", "from": nobody, "message": message, "chat_instance": "-", "data": "help"}
        first_id = UPDATE_ID_MAX - 2 * seat - 1
        bodies = (
            {"update_id": first_id, "message": message},
            {"update_id": first_id + 1, "callback_query": tap},
        )
        return [self._row(body) for body in bodies]

    def _row(self, body: Mapping[str, object]) -> InboxRow:
        row = self._parts.receive(msgspec.json.encode(body))
        assert isinstance(row, InboxRow), f"our own update cannot be read: {row}"
        return row

    def _stamp(self) -> Stamp:
        sources = self._parts.sources
        return Stamp(
            now=sources.now(),
            epoch=_NO_EPOCH,
            shard=self._parts.shard,
            draft_id=DraftId(sources.token(8)),
            job_id=JobId(sources.token(32)),
            order_id=OrderId(sources.token(16)),
        )


def rehearse(
    tx: Transaction, rows: list[InboxRow], shop: Shop, clerk: Clerk, stamp: Stamp
) -> TakenBack:
    """Store and handle `rows`, claim and mark replies, and have it all rolled back."""
    inbox.store(tx, rows)
    for row in rows:
        outcome = handle(tx, row, shop, clerk, stamp)
        assert isinstance(outcome, Handled), f"nobody's update was not handled: {outcome}"
    outbox.claim(tx, shard=_NO_SHARD, claimant="-", claim_no=0, limit=1, epoch=_NO_EPOCH)
    nothing = Sent(outbox_id=OutboxId(0), message_id=None)
    outbox.mark(tx, [nothing], epoch=_NO_EPOCH, now=stamp.now)
    return TakenBack()
