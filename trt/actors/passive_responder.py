"""PassiveResponder: holds the receiver while another instance is active."""

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

GRACE_S = 0.6
"""How long the active instance may take to claim an update before the user is told to wait."""
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

    async def run(self, ctx: Context[None]) -> None:
        """Respond until the lease changes hands."""
        ctx.ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive, nursery)
            await ctx.wait_stopping()
            nursery.cancel_scope.cancel()

    async def _receive(self, nursery: trio.Nursery) -> None:
        while True:
            nursery.start_soon(self._respond, await self._updates.receive())

    async def _respond(self, row: InboxRow) -> None:
        parts = self._parts
        await trio.sleep(GRACE_S)
        try:
            waits = await parts.db.transact(
                inbox.is_unfinished, bot_id=row.bot_id, update_id=row.update_id
            )
            if waits and parts.refuse is not None:
                await parts.db.transact(parts.refuse, row)
        except DatabaseUnavailable:
            waits = True  # nobody can have handled it, and the row stays for the next holder
        if waits and await self._tell_user(row):
            parts.events.emit(
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
