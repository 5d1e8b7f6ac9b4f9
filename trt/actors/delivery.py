"""Delivery: sends the outbox; order per chat, our pace and Telegram's, retry where it is safe."""

from collections.abc import Callable, Sequence
from typing import assert_never

import trio
from attrs import evolve, frozen

from trt.actors.delivery_lane import Lane
from trt.actors.fates import Apart, Arrived, Fate, Hopeless, OtherWay, TryLater, Uncertain
from trt.actors.happening import Happening
from trt.actors.last_call import Closing
from trt.actors.marks import Marks
from trt.actors.pace import Pace
from trt.actors.sending import Courier
from trt.actors.settlement import Clerk
from trt.domain.ids import ChatId, Cid, MessageId
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback, PassOnFile, SendInvoice, SendResult, ShowScreen
from trt.sources import Sources
from trt.storage import outbox
from trt.storage.database import Database, Transaction
from trt.storage.outbox import (
    Attempted,
    Failed,
    Left,
    OutboxRow,
    Outcome,
    Sent,
    Skipped,
    UnreadableReply,
)
from trt.supervision import Context
from trt.telemetry.events import EventName, FieldValue
from trt.telemetry.stream import EventStream

CLAIM_MAX = 200
SWEEP_EVERY_S = 15.0
UNCERTAIN_MAX = 5
"""How many sends of uncertain fate a message may have before it is given up; with the pauses
between them (1, 4, 16, 64 s) a gateway's bad minute costs nobody a result."""
ANSWER_RETRIES_S = (0.1, 0.3, 1.0, 3.0)
"""The first ones still come within the second that a spinner may turn."""
SENDS_MAX = 64
"""At a time: calls that crowd each other out of their time would all be made again."""
ANSWERS_MAX = 8
"""At a time, in a crowd: those that stand in line may find that the clock was faster."""
AGE_S_MAX = 24 * 3600.0
RESULT_AGE_S_MAX = 1800.0
"""How long a result is tried to be sent; then the user is asked to fetch it."""
FETCHES_MAX = 4
AHEAD_MAX = 4
"""Files fetched at a time before the turn of their chat has come."""
RETRY_S_MAX = 60.0


@frozen
class RowsWaiting:
    """Somebody has committed rows to the outbox."""


@frozen(kw_only=True)
class DeliveryParts:
    """What the delivery needs of the active branch."""

    db: Database
    sources: Sources
    events: EventStream
    courier: Courier
    clerk: Clerk
    closing: Closing
    wake: Callable[[], None]
    """Tells this very actor that a settlement has put rows into the outbox."""


class Delivery:
    """Claims committed rows and sends each chat's in order, chats side by side.

    Receives `RowsWaiting` as a wake-up; the outbox is the truth. Answers to taps overtake
    everything: Telegram does not count them. A row is marked after the send, together with what
    hangs on it (the capture of a delivered result): a crash in between sends it once more. A
    restart claims all that is unsent again.
    """

    def __init__(self, parts: DeliveryParts, pace: Pace | None = None) -> None:
        self._parts = parts
        self._pace = Pace() if pace is None else pace
        self._lanes: dict[tuple[ChatId, bool], Lane] = {}
        self._answering = trio.CapacityLimiter(ANSWERS_MAX)
        self._fetching = trio.CapacityLimiter(FETCHES_MAX)
        self._ahead = trio.CapacityLimiter(AHEAD_MAX)
        self._sending = trio.CapacityLimiter(SENDS_MAX)
        self._turnstile = trio.Lock()
        self._marks = Marks(parts.db, parts.sources, epoch=parts.clerk.epoch)
        self._claim_no = 0

    async def run(self, ctx: Context[RowsWaiting]) -> None:
        """Send until asked to stop; a send under way is finished first, within the grace."""
        claimant = self._parts.sources.token(16)
        self._lanes.clear()
        self._parts.courier.results.shelf.clear()
        self._pace.begin(trio.current_time())
        batches = ctx.batches(256)
        ctx.ready()
        async with trio.open_nursery() as nursery:
            while not ctx.is_stopping:
                if not self._parts.closing.is_on:
                    for row in sorted(await self._claim(claimant), key=_is_for_later):
                        if isinstance(row.reply, SendResult):
                            self._parts.courier.results.shelf.expect(row.reply.urls)
                            nursery.start_soon(self._fetch_ahead, row.reply, row.cid, ctx)
                        await self._accept(row, ctx, nursery)
                self._pace.forget_idle(trio.current_time())
                with trio.move_on_after(SWEEP_EVERY_S):
                    async for _ in batches:
                        break

    async def _claim(self, claimant: str) -> list[OutboxRow]:
        """Claim everything that is unsent, some rows at a time."""
        rows: list[OutboxRow] = []
        while True:
            self._claim_no += 1
            some = await self._parts.db.transact(
                outbox.claim,
                shard=self._parts.clerk.shard,
                claimant=claimant,
                claim_no=self._claim_no,
                limit=CLAIM_MAX,
                epoch=self._parts.clerk.epoch,
            )
            rows += some
            if len(some) < CLAIM_MAX:
                return rows

    async def _accept(
        self, row: OutboxRow, ctx: Context[RowsWaiting], nursery: trio.Nursery
    ) -> None:
        if isinstance(row.reply, AnswerCallback):
            nursery.start_soon(self._send_at_once, row)
            return
        # Results have a lane of their own: one that cannot be fetched must not silence its chat.
        key = (row.chat_id, _is_result(row))
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(row.chat_id)
            nursery.start_soon(self._run_lane, key, lane, ctx)
        pushed_out = lane.add(row)
        if pushed_out is not None:
            await self._marks.write(Skipped(outbox_id=pushed_out.outbox_id))

    # One chat

    async def _run_lane(
        self, key: tuple[ChatId, bool], lane: Lane, ctx: Context[RowsWaiting]
    ) -> None:
        """Send the rows of one lane until none is left."""
        while len(lane) and not ctx.is_stopping:
            wait_s = self._pace.chat_wait_s(lane.chat_id, trio.current_time())
            if wait_s > 0:
                await ctx.sleep(wait_s)
                continue
            # One lane watches the bot's rate, the others stand in line: woken together for every
            # send, a crowd of lanes would use up the processor.
            async with self._turnstile:
                wait_s = self._pace.bot_wait_s(trio.current_time())
                if wait_s > 0 and not await ctx.sleep(wait_s):
                    break
                self._pace.take(lane.chat_id, trio.current_time())
            row = lane.next()
            if row is None or ctx.is_stopping:
                break
            fate = await self._carry(lane, row)
            pause_s = await self._settle(lane, row, fate)
            if pause_s > 0:
                await ctx.sleep(pause_s)
        del self._lanes[key]

    async def _carry(self, lane: Lane, row: OutboxRow) -> Fate:
        carried = (row, lane.target(row), lane.ways_tried(row))
        # A file is held in memory while it is on its way.
        async with self._fetching if _is_result(row) else self._sending:
            return await self._parts.courier.carry(*carried)

    async def _fetch_ahead(self, result: SendResult, cid: Cid, ctx: Context[RowsWaiting]) -> None:
        """Have the bytes before anything can happen to them, however long the chat must wait."""
        with ctx.stop.interrupts():
            async with self._ahead:
                await self._parts.courier.results.fetch_ahead(result, cid)

    def _forget_files(self, row: OutboxRow, but: Sequence[str] = ()) -> None:
        if isinstance(row.reply, SendResult):
            self._parts.courier.results.shelf.forget(row.reply.urls, but)

    async def _settle(self, lane: Lane, row: OutboxRow, fate: Fate) -> float:
        """Write down what became of a send; returns the seconds to pause before the next."""
        match fate:
            case Arrived(message_id=message_id, originals=originals):
                lane.arrived(row, message_id)
                self._forget_files(row, but=originals)
                await self._sent(row, message_id, originals)
                return 0.0
            case TryLater(seconds=seconds, is_freeze=is_freeze):
                if self._age_s(row) > (RESULT_AGE_S_MAX if _is_result(row) else AGE_S_MAX):
                    await self._leave(row, "tried for too long")
                    return 0.0
                await self._again(lane, row, is_ambiguous=False)
                if is_freeze:
                    self._pace.freeze(lane.chat_id, seconds, trio.current_time())
                    self._tell(row, EventName.MESSAGE_DELAYED, kind=_kind(row), delay_s=seconds)
                    return 0.0
                return float(min(RETRY_S_MAX, seconds * 2 ** min(row.attempts, 5)))
            case Uncertain(detail=detail):
                self._tell(row, EventName.MESSAGE_UNKNOWN, kind=_kind(row), detail=detail)
                doubts = lane.doubt(row)
                if doubts >= UNCERTAIN_MAX:
                    await self._leave(row, f"uncertain too often: {detail}")
                    return 0.0
                await self._again(lane, row, is_ambiguous=True)
                return float(4 ** (doubts - 1))
            case OtherWay(steps=steps):
                lane.other_way(row, steps)
                return 0.0
            case Apart():
                await self._parts.db.transact(self._mark_apart, row)
                self._parts.wake()
                return 0.0
            case Hopeless(detail=detail, reason=reason):
                await self._give_up(row, detail, reason)
                return 0.0
            case _:
                assert_never(fate)

    async def _again(self, lane: Lane, row: OutboxRow, *, is_ambiguous: bool) -> None:
        if lane.is_outdated(row):
            await self._marks.write(Skipped(outbox_id=row.outbox_id))
            return
        lane.put_back(evolve(row, attempts=row.attempts + 1))
        await self._marks.write(Attempted(outbox_id=row.outbox_id, is_ambiguous=is_ambiguous))

    async def _send_at_once(self, row: OutboxRow) -> None:
        """Send an answer to a tap, again if need be: a second one for the same tap does no harm."""
        fate = await self._answer(row)
        for pause_s in ANSWER_RETRIES_S:
            if isinstance(fate, Arrived | Hopeless):
                break
            await trio.sleep(pause_s)
            fate = await self._answer(row)
        await self._marks.write(
            Sent(outbox_id=row.outbox_id, message_id=None)
            if isinstance(fate, Arrived)
            else Failed(outbox_id=row.outbox_id, detail=repr(fate))
        )
        self._tell(row, EventName.ANSWER_CALLBACK_QUERY, outcome=type(fate).__name__)

    async def _answer(self, row: OutboxRow) -> Fate:
        async with self._answering:
            return await self._parts.courier.carry(row, None)

    # What hangs on a row

    async def _sent(
        self, row: OutboxRow, message_id: MessageId | None, originals: Sequence[str]
    ) -> None:
        happenings: tuple[Happening, ...] = ()
        if isinstance(row.reply, SendResult):
            happenings = await self._parts.db.transact(
                self._mark_result_sent, row, row.reply, message_id, originals
            )
        else:
            await self._marks.write(Sent(outbox_id=row.outbox_id, message_id=message_id))
        self._tell(row, EventName.MESSAGE_SENT, kind=_kind(row), attempt=row.attempts + 1)
        self._tell_all(happenings)
        if originals:
            self._parts.wake()

    def _mark_result_sent(
        self,
        tx: Transaction,
        row: OutboxRow,
        result: SendResult,
        message_id: MessageId | None,
        originals: Sequence[str],
    ) -> tuple[Happening, ...]:
        self._mark_in(tx, Sent(outbox_id=row.outbox_id, message_id=message_id))
        for url in originals:
            bare = evolve(result, urls=(url,), caption="", keyboard=(), is_original=True)
            self._put(tx, row, bare)
        clerk = self._parts.clerk
        return clerk.result_sent(tx, result.job_id, self._parts.sources.now())

    def _mark_apart(self, tx: Transaction, row: OutboxRow) -> None:
        """Put each file of an album into a row of its own, in its place."""
        assert isinstance(row.reply, SendResult)
        self._mark_in(tx, Skipped(outbox_id=row.outbox_id))
        first, *between, last = row.reply.urls
        self._put(tx, row, evolve(row.reply, urls=(first,), keyboard=()))
        for url in between:
            self._put(tx, row, evolve(row.reply, urls=(url,), caption="", keyboard=()))
        self._put(tx, row, evolve(row.reply, urls=(last,), caption=""))

    def _put(self, tx: Transaction, row: OutboxRow, reply: SendResult) -> None:
        clerk = self._parts.clerk
        outbox.put(
            tx,
            shard=clerk.shard,
            chat_id=row.chat_id,
            reply=reply,
            cid=row.cid,
            job_id=row.job_id,
            epoch=clerk.epoch,
            now=self._parts.sources.now(),
        )

    async def _leave(self, row: OutboxRow, detail: str) -> None:
        """Try no more; of a result, the user may ask again."""
        self._forget_files(row)
        self._tell(row, EventName.MESSAGE_FAILED, kind=_kind(row), detail=detail)
        self._tell_all(await self._parts.db.transact(self._mark_left, row, detail))

    def _mark_left(self, tx: Transaction, row: OutboxRow, detail: str) -> tuple[Happening, ...]:
        if not isinstance(row.reply, SendResult):
            self._mark_in(tx, Failed(outbox_id=row.outbox_id, detail=detail))
            return ()
        self._mark_in(tx, Left(outbox_id=row.outbox_id, detail=detail))
        clerk = self._parts.clerk
        return clerk.result_stuck(tx, row.reply.job_id, self._parts.sources.now())

    async def _give_up(self, row: OutboxRow, detail: str, reason: Reason) -> None:
        self._forget_files(row)
        self._tell(row, EventName.MESSAGE_FAILED, kind=_kind(row), detail=detail)
        self._tell_all(await self._parts.db.transact(self._mark_lost, row, detail, reason))

    def _mark_lost(
        self, tx: Transaction, row: OutboxRow, detail: str, reason: Reason
    ) -> tuple[Happening, ...]:
        self._mark_in(tx, Failed(outbox_id=row.outbox_id, detail=detail))
        if not _is_result(row) or row.job_id is None:
            return ()
        clerk = self._parts.clerk
        return clerk.result_lost(tx, row.job_id, reason, self._parts.sources.now())

    def _mark_in(self, tx: Transaction, outcome: Outcome) -> None:
        outbox.mark(tx, [outcome], epoch=self._parts.clerk.epoch, now=self._parts.sources.now())

    def _tell_all(self, happenings: Sequence[Happening]) -> None:
        for happening in happenings:
            self._parts.events.emit(happening.name, **happening.fields)
        if happenings:
            self._parts.wake()

    def _tell(self, row: OutboxRow, name: EventName, **fields: FieldValue) -> None:
        self._parts.events.emit(name, cid=row.cid, chat_id=row.chat_id, job_id=row.job_id, **fields)

    def _age_s(self, row: OutboxRow) -> float:
        return (self._parts.sources.now() - row.created_at).total_seconds()


def _is_for_later(row: OutboxRow) -> bool:
    return not isinstance(row.reply, AnswerCallback)


def _is_result(row: OutboxRow) -> bool:
    match row.reply:
        case SendResult() | UnreadableReply(is_result=True):
            return True
        case _:
            return False


def _kind(row: OutboxRow) -> str:
    match row.reply:
        case ShowScreen():
            return "screen"
        case AnswerCallback():
            return "answer"
        case SendResult():
            return "result"
        case SendInvoice():
            return "invoice"
        case PassOnFile():
            return "file"
        case UnreadableReply():
            return "unreadable"
        case _:
            assert_never(row.reply)
