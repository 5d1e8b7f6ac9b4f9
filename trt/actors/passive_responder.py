"""PassiveResponder: holds the receiver while another instance is active."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress

import trio
from attrs import frozen

from trt.actors.bells import Bell, inbox_topic, ring_out
from trt.actors.callback_clock import TapOpened
from trt.actors.checkout import Checkout
from trt.actors.open_taps import OpenTap, OpenTaps
from trt.domain import screens
from trt.domain.copy import Copies, language_of
from trt.domain.ids import CallbackId, Cid, Shard, UpdateId, UserId
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback
from trt.sources import Sources
from trt.storage import inbox, outbox
from trt.storage.database import Database, Transaction
from trt.storage.errors import DatabaseUnavailable
from trt.storage.inbox import InboxRow, InboxState
from trt.supervision import Context, MailboxFull, Ref
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnavailable
from trt.telegram.updates import PAYMENT_KINDS, PRE_CHECKOUT, Unsupported, read_event
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream

GRACE_S = 0.3
"""How long the active instance may take to claim an update before the user is told to wait."""
LOOK_EVERY_S = 0.1
CHECK_S = 0.2
"""How long the database may take to say who was claimed; then everybody in question is told."""
NOTICE_EVERY_S = 60.0
TAP_LEFT_S = 0.25
"""How long a tap that the active instance took itself may be seen unanswered. With two looks and
the call itself that is less than the promised second."""
TAPS_MAX = 500
"""The newest; those before were seen while they were new."""


@frozen(kw_only=True)
class PassiveParts:
    """What the responder needs."""

    db: Database
    sources: Sources
    events: EventStream
    telegram: TelegramClient
    copies: Copies
    shard: Shard
    taps: OpenTaps
    clock: Ref[TapOpened]
    """Who answers taps."""
    checkout: Checkout
    refuse: Callable[[Transaction, InboxRow], bool] | None
    """PASSIVE_MODE=reject: closes the row, False if it has just ended; None with `hold`, where it
    waits for the takeover."""


class PassiveResponder:
    """Leaves each update in the inbox for the active instance; tells the user if it takes long.

    It rings the active instance's bell, once for all that has arrived meanwhile.
    It also watches the taps that the active instance took and leaves unanswered, because it hangs
    or is cut off: who takes over would come too late for their second.
    A callback gets a toast within its second, a message gets a notice with a refresh button, once
    a minute per user, a pre-checkout its answer. It touches no session, no job and no money. A
    restart loses nothing. What PASSIVE_MODE=reject closes is always noted, told or not.
    """

    def __init__(self, parts: PassiveParts, updates: "trio.MemoryReceiveChannel[InboxRow]") -> None:
        self._parts = parts
        self._updates = updates
        self._noticed_s: dict[UserId, float] = {}
        self._in_grace: deque[tuple[float, InboxRow]] = deque()
        self._unsettled: set[UpdateId] = set()
        self._arrived = Bell()

    async def run(self, ctx: Context[None]) -> None:
        """Respond until the lease changes hands."""
        # What a crash left half told is watched like the taps that others took.
        self._unsettled = {row.update_id for _, row in self._in_grace}
        ctx.ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive, nursery)
            nursery.start_soon(self._ring)
            nursery.start_soon(self._watch_taps, nursery)
            while await ctx.sleep(LOOK_EVERY_S):
                rows = self._grace_over()
                if rows:
                    nursery.start_soon(self._settle, rows)
            nursery.cancel_scope.cancel()

    async def _receive(self, nursery: trio.Nursery) -> None:
        while True:
            row = await self._updates.receive()
            if row.kind == PRE_CHECKOUT:
                nursery.start_soon(self._parts.checkout.answer, row)
            self._unsettled.add(row.update_id)
            self._in_grace.append((trio.current_time() + GRACE_S, row))
            self._arrived.ring()

    async def _ring(self) -> None:
        """Ring for what has arrived; a database that hangs holds up nothing but this."""
        topic = inbox_topic(self._parts.shard)
        while True:
            await self._arrived.wait()
            await ring_out(self._parts.db, topic)

    async def _watch_taps(self, nursery: trio.Nursery) -> None:
        """Answer each tap that is seen unanswered for too long and did not come in here."""
        seen_s: dict[CallbackId, float] = {}
        while True:
            await trio.sleep(LOOK_EVERY_S)
            with suppress(DatabaseUnavailable):
                rows, answers = await self._parts.db.transact(self._unanswered)
                now_s = trio.current_time()
                ids = [
                    *(row.callback_id for row in rows),
                    *(each.callback_id for each, _ in answers),
                ]
                seen_s = {tap: seen_s.get(tap, now_s) for tap in ids if tap is not None}
                left = {tap for tap, since_s in seen_s.items() if now_s - since_s >= TAP_LEFT_S}
                for row in rows:
                    if row.callback_id in left and row.update_id not in self._unsettled:
                        nursery.start_soon(self._respond, row)
                for answer, cid in answers:
                    if answer.callback_id in left:
                        self._answer(answer, cid)

    def _unanswered(
        self, tx: Transaction
    ) -> tuple[list[InboxRow], list[tuple[AnswerCallback, Cid]]]:
        """Read the taps that nobody has handled, and those whose answer waits to be sent."""
        shard = self._parts.shard
        return (
            inbox.taps_waiting(tx, shard=shard, limit=TAPS_MAX),
            outbox.answers_waiting(tx, shard=shard, limit=TAPS_MAX),
        )

    def _grace_over(self) -> list[InboxRow]:
        """Take the rows that the active instance has had its time for; they came in that order."""
        now_s = trio.current_time()
        over = []
        while self._in_grace and self._in_grace[0][0] <= now_s:
            over.append(self._in_grace.popleft()[1])
        return over

    async def _settle(self, rows: list[InboxRow]) -> None:
        """Tell the users whose updates nobody has claimed; with `reject` these are closed."""
        unclaimed, closed, checked = rows, set[UpdateId](), trio.Event()
        noted = set[UpdateId]()

        def note(row: InboxRow) -> None:
            if row.update_id not in noted:
                noted.add(row.update_id)
                self._note(row)

        async def check() -> None:
            nonlocal unclaimed
            # If it fails, nobody can have handled them, and they stay for the next holder.
            with suppress(DatabaseUnavailable):
                unclaimed = await self._parts.db.transact(self._close_or_leave, rows)
                for row in filter(self._is_refused, unclaimed):
                    closed.add(row.update_id)
                    note(row)
            checked.set()

        async def tell(row: InboxRow) -> None:
            if await self._tell_user(row, is_closed=row.update_id in closed):
                note(row)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(check)
            with trio.move_on_after(CHECK_S):
                await checked.wait()
            for row in unclaimed:
                nursery.start_soon(tell, row)
        self._unsettled.difference_update(row.update_id for row in rows)

    def _close_or_leave(self, tx: Transaction, rows: list[InboxRow]) -> list[InboxRow]:
        waiting = [
            row
            for row in rows
            if inbox.is_unfinished(tx, bot_id=row.bot_id, update_id=row.update_id)
        ]
        refuse = self._parts.refuse
        if refuse is None:
            return waiting
        # Between the look and the closing the active instance may have been faster.
        return [row for row in waiting if not self._is_refused(row) or refuse(tx, row)]

    def _is_refused(self, row: InboxRow) -> bool:
        return self._parts.refuse is not None and row.kind not in PAYMENT_KINDS  # never money

    async def _respond(self, row: InboxRow) -> None:
        if await self._tell_user(row, is_closed=False):
            self._note(row)

    def _note(self, row: InboxRow) -> None:
        self._parts.events.emit(
            EventName.PASSIVE_REJECT,
            cid=row.cid,
            update_id=row.update_id,
            user_id=row.user_id,
            kind=row.kind,
            reason_code=Reason.PASSIVE_REJECT,
        )

    async def _tell_user(self, row: InboxRow, *, is_closed: bool) -> bool:
        """Say that it will be handled, or, if it is closed, that it has to be sent again."""
        read = read_event(row.payload)
        if isinstance(read, Unsupported):
            return False
        copy = self._parts.copies.of(language_of(read[0].language_code))
        try:
            if row.callback_id is not None:
                toast = screens.refused_toast(copy) if is_closed else screens.passive_toast(copy)
                return self._answer(
                    AnswerCallback(callback_id=row.callback_id, text=toast), row.cid
                )
            if not self._may_notice(row.user_id):
                return False
            notice = screens.refused_notice(copy) if is_closed else screens.passive_notice(copy)
            await self._parts.telegram.send_message(row.chat_id, notice.text, notice.keyboard)
        except TelegramUnavailable:
            return False  # the update itself is in the inbox, as it was left or closed
        return True

    def _answer(self, answer: AnswerCallback, cid: Cid) -> bool:
        """Have a tap answered, once: by the clock, which lives on when this instance takes over."""
        due_s = trio.current_time()
        is_new = self._parts.taps.open(
            OpenTap(answer=answer, due_s=due_s, cid=cid, reason=Reason.PASSIVE_REJECT)
        )
        with suppress(MailboxFull):  # the clock has wake-ups enough; it reads the board
            self._parts.clock.tell_nowait(TapOpened())
        return is_new

    def _may_notice(self, user_id: UserId) -> bool:
        now_s = trio.current_time()
        last_s = self._noticed_s.get(user_id)
        if last_s is not None and now_s - last_s < NOTICE_EVERY_S:
            return False
        self._noticed_s[user_id] = now_s
        return True


def rejecting(sources: Sources, epoch: int = 0) -> Callable[[Transaction, InboxRow], bool]:
    """Return what PASSIVE_MODE=reject does to a row that nobody claimed."""

    def refuse(tx: Transaction, row: InboxRow) -> bool:
        return inbox.finish(
            tx,
            bot_id=row.bot_id,
            update_id=row.update_id,
            state=InboxState.REFUSED,
            reason=Reason.PASSIVE_REJECT,
            epoch=epoch,
            now=sources.now(),
        )

    return refuse
