"""PassiveResponder: holds the receiver while another instance is active."""

from collections import deque
from collections.abc import Callable

import trio
from attrs import frozen

from trt.domain import screens
from trt.domain.copy import Copies
from trt.domain.ids import UserId
from trt.domain.reasons import Reason
from trt.sources import Sources
from trt.storage import inbox
from trt.storage.database import Database, Transaction
from trt.storage.errors import DatabaseUnavailable
from trt.storage.inbox import InboxRow, InboxState
from trt.supervision import Context
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnavailable
from trt.telegram.updates import Unsupported, read_event
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream

GRACE_S = 0.55
"""How long the active instance may take to claim an update before the user is told to wait."""
LOOK_EVERY_S = 0.1
NOTICE_EVERY_S = 60.0


@frozen(kw_only=True)
class PassiveParts:
    """What the responder needs."""

    db: Database
    sources: Sources
    events: EventStream
    telegram: TelegramClient
    copies: Copies
    refuse: Callable[[Transaction, InboxRow], None] | None
    """PASSIVE_MODE=reject: closes the row; None with `hold`, where it waits for the takeover."""


class PassiveResponder:
    """Leaves each update in the inbox for the active instance; tells the user if it takes long.

    A callback gets a toast within its second, a message gets a notice with a refresh button, once
    a minute per user. It touches no session, no job and no money. A restart loses nothing.
    """

    def __init__(self, parts: PassiveParts, updates: "trio.MemoryReceiveChannel[InboxRow]") -> None:
        self._parts = parts
        self._updates = updates
        self._noticed_s: dict[UserId, float] = {}
        self._in_grace: deque[tuple[float, InboxRow]] = deque()

    async def run(self, ctx: Context[None]) -> None:
        """Respond until the lease changes hands."""
        ctx.ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive)
            while await ctx.sleep(LOOK_EVERY_S):
                for row in await self._unclaimed(self._grace_over()):
                    nursery.start_soon(self._respond, row)
            nursery.cancel_scope.cancel()

    async def _receive(self) -> None:
        while True:
            row = await self._updates.receive()
            self._in_grace.append((trio.current_time() + GRACE_S, row))

    def _grace_over(self) -> list[InboxRow]:
        """Take the rows that the active instance has had its time for; they came in that order."""
        now_s = trio.current_time()
        over = []
        while self._in_grace and self._in_grace[0][0] <= now_s:
            over.append(self._in_grace.popleft()[1])
        return over

    async def _unclaimed(self, rows: list[InboxRow]) -> list[InboxRow]:
        """Return which of the rows still wait; with `reject` they are closed."""
        if not rows:
            return []
        try:
            return await self._parts.db.transact(self._close_or_leave, rows)
        except DatabaseUnavailable:
            return rows  # nobody can have handled them, and they stay for the next holder

    def _close_or_leave(self, tx: Transaction, rows: list[InboxRow]) -> list[InboxRow]:
        waiting = [
            row
            for row in rows
            if inbox.is_unfinished(tx, bot_id=row.bot_id, update_id=row.update_id)
        ]
        if self._parts.refuse is not None:
            for row in waiting:
                self._parts.refuse(tx, row)
        return waiting

    async def _respond(self, row: InboxRow) -> None:
        if await self._tell_user(row):
            self._parts.events.emit(
                EventName.PASSIVE_REJECT,
                cid=row.cid,
                update_id=row.update_id,
                user_id=row.user_id,
                kind=row.kind,
                reason_code=Reason.PASSIVE_REJECT,
            )

    async def _tell_user(self, row: InboxRow) -> bool:
        read = read_event(row.payload)
        if isinstance(read, Unsupported):
            return False
        copy = self._parts.copies.of(read[0].language_code)
        try:
            if row.callback_id is not None:
                await self._parts.telegram.answer_callback_query(
                    row.callback_id, screens.passive_toast(copy)
                )
                return True
            if not self._may_notice(row.user_id):
                return False
            notice = screens.passive_notice(copy)
            await self._parts.telegram.send_message(row.chat_id, notice.text, notice.keyboard)
        except TelegramUnavailable:
            return False  # the update itself is safe in the inbox
        return True

    def _may_notice(self, user_id: UserId) -> bool:
        now_s = trio.current_time()
        last_s = self._noticed_s.get(user_id)
        if last_s is not None and now_s - last_s < NOTICE_EVERY_S:
            return False
        self._noticed_s[user_id] = now_s
        return True


def rejecting(sources: Sources, epoch: int = 0) -> Callable[[Transaction, InboxRow], None]:
    """Return what PASSIVE_MODE=reject does to a row that nobody claimed."""

    def refuse(tx: Transaction, row: InboxRow) -> None:
        inbox.finish(
            tx,
            bot_id=row.bot_id,
            update_id=row.update_id,
            state=InboxState.REFUSED,
            reason=Reason.PASSIVE_REJECT,
            epoch=epoch,
            now=sources.now(),
        )

    return refuse
