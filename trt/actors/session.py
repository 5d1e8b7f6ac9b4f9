"""SessionActor: one user's updates, in order, one at a time."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import assert_never

import trio
from attrs import field, frozen

from trt.actors.handling import AlreadyEnded, EarlierFirst, Handled, handle
from trt.actors.in_hand import InHand
from trt.actors.update_desk import JobBooks, Shop, Stamp
from trt.domain.ids import DraftId, JobId, Shard
from trt.domain.payments import OrderId
from trt.sources import Sources
from trt.storage import inbox
from trt.storage.database import Database
from trt.storage.inbox import InboxRow
from trt.supervision import Context
from trt.telemetry.stream import EventStream


@frozen
class HandleUpdate:
    """This update is yours; it is committed in the inbox."""

    row: InboxRow


@frozen(kw_only=True)
class SessionParts:
    """What every session of an active branch shares."""

    db: Database
    sources: Sources
    events: EventStream
    shop: Shop
    books: JobBooks
    epoch: int
    shard: Shard
    wake_delivery: Callable[[], None]
    start_job: Callable[[JobId], None]
    in_hand: InHand
    leash: Callable[[], AbstractContextManager[trio.CancelScope]]
    at_work: trio.CapacityLimiter
    """Who may handle an update at this moment; the others stand in line."""
    alone: trio.Lock = field(factory=trio.Lock)
    """Who handles a prime suspect: if that takes the process along, it takes no other update."""


class SessionActor:
    """Carries out what the dialog decides, one transaction per update.

    Receives `HandleUpdate`; wakes the delivery and the job actors after the commit. It owns no
    state: the conversation is read and written inside the transaction, so a restart or passivation
    loses nothing, and an update whose handling crashed is handled again. Its user's updates may
    have come in by two instances, so it turns to the earlier ones before the one it was told of.
    Whoever stands in line at a stop hands its update back untouched: the next holder has it sooner.

    An update that a holder left open who went without a word is a suspect. That it is begun again
    is committed first, so that what kills its process is counted, and what waited in line is not.
    """

    def __init__(self, parts: SessionParts) -> None:
        self._parts = parts

    async def run(self, ctx: Context[HandleUpdate]) -> None:
        """Handle updates until asked to stop or passivated."""
        async for turn in ctx.turns():
            if not await self._comes_in(ctx):
                self._parts.in_hand.abandon(turn.message.row)
                return
            try:
                # Asleep it needs no leash: thousands of sessions are, at any time.
                with self._parts.leash():
                    await self._handle(turn.message.row)
            finally:
                self._parts.at_work.release()

    async def _comes_in(self, ctx: Context[HandleUpdate]) -> bool:
        """Wait in line; False if a stop comes first."""
        try:
            self._parts.at_work.acquire_nowait()  # costs no turn of the scheduler
        except trio.WouldBlock:
            with ctx.stop.interrupts() as waiting:
                await self._parts.at_work.acquire()
            return not waiting.cancelled_caught
        return True

    async def _handle(self, told: InboxRow) -> None:
        in_hand = self._parts.in_hand
        row = told
        while True:
            is_prime_suspect = row.attempts > 1  # begun again, and left open again
            async with self._parts.alone if is_prime_suspect else nullcontext():
                outcome = await self._attempt(row)
            match outcome:
                case EarlierFirst(earlier):
                    row = earlier
                    in_hand.turn_to(told, earlier)
                    continue
                case AlreadyEnded():
                    in_hand.finish(row.update_id)
                    self._parts.wake_delivery()  # it may have been us, without knowing
                case Handled():
                    in_hand.finish(row.update_id)
                    self._tell(outcome)
                case _:
                    assert_never(outcome)
            if row.update_id == told.update_id:
                return
            row = told
            in_hand.turn_to(told, told)

    async def _attempt(self, row: InboxRow) -> Handled | AlreadyEnded | EarlierFirst:
        parts = self._parts
        if parts.in_hand.is_uncounted(row) and await parts.db.transact(inbox.begin_again, row):
            parts.in_hand.count(row)
        stamp = Stamp(
            now=parts.sources.now(),
            epoch=parts.epoch,
            shard=parts.shard,
            draft_id=DraftId(parts.sources.token(8)),
            job_id=JobId(parts.sources.token(32)),
            order_id=OrderId(parts.sources.token(16)),
        )
        return await parts.db.transact(handle, row, parts.shop, parts.books, stamp)

    def _tell(self, handled: Handled) -> None:
        parts = self._parts
        for happening in handled.happenings:
            parts.events.emit(happening.name, **happening.fields)
        parts.wake_delivery()
        for job_id in handled.started_jobs:
            parts.start_job(job_id)
