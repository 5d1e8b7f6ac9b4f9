"""Refusals: an update that cannot be handled ends visibly, with a reason."""

from collections.abc import Callable

from attrs import frozen

from trt.domain import screens
from trt.domain.copy import Copies
from trt.domain.ids import Shard, UpdateId
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback, Reply, ShowScreen
from trt.sources import Sources
from trt.storage import inbox, outbox
from trt.storage.database import Database, Transaction
from trt.storage.inbox import InboxRow, InboxState
from trt.supervision import Context
from trt.telegram.updates import Unsupported, read_event
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream


@frozen
class Refuse:
    """Tell the user that this update will not be handled, and why."""

    row: InboxRow
    reason: Reason


@frozen(kw_only=True)
class RefusalParts:
    """What the refusals share with the rest of the active branch."""

    db: Database
    sources: Sources
    events: EventStream
    copies: Copies
    epoch: int
    shard: Shard
    wake_delivery: Callable[[], None]
    finished: Callable[[UpdateId], None]


class Refusals:
    """Closes inbox rows that a full mailbox or a crashing handler left open.

    Receives `Refuse` from the dispatcher and from the directory's dead letters. One transaction:
    the row is marked, the user is told. A restart loses nothing: an open row is found by the sweep.
    """

    def __init__(self, parts: RefusalParts) -> None:
        self._parts = parts

    async def run(self, ctx: Context[Refuse]) -> None:
        """Refuse until asked to stop."""
        async for turn in ctx.turns():
            row, reason = turn.message.row, turn.message.reason
            told = await self._parts.db.transact(self._refuse, row, reason)
            self._parts.finished(row.update_id)
            if told:
                crashed = reason is Reason.HANDLER_CRASHED
                self._parts.events.emit(
                    EventName.DISPATCH_FAIL if crashed else EventName.DISPATCH_REFUSED,
                    cid=row.cid,
                    update_id=row.update_id,
                    user_id=row.user_id,
                    reason_code=reason,
                )
                self._parts.wake_delivery()

    def _refuse(self, tx: Transaction, row: InboxRow, reason: Reason) -> bool:
        parts = self._parts
        state = InboxState.DEAD if reason is Reason.HANDLER_CRASHED else InboxState.REFUSED
        if not inbox.finish(
            tx,
            bot_id=row.bot_id,
            update_id=row.update_id,
            state=state,
            reason=reason,
            epoch=parts.epoch,
            now=parts.sources.now(),
        ):
            return False
        reply = self._words(row, reason)
        if reply is not None:
            outbox.put(
                tx,
                shard=parts.shard,
                chat_id=row.chat_id,
                reply=reply,
                cid=row.cid,
                job_id=None,
                epoch=parts.epoch,
                now=parts.sources.now(),
            )
        return True

    def _words(self, row: InboxRow, reason: Reason) -> Reply | None:
        read = read_event(row.payload)
        if isinstance(read, Unsupported):
            return None
        copy = self._parts.copies.of(read[0].language_code)
        crashed = reason is Reason.HANDLER_CRASHED
        if row.callback_id is not None:
            text = screens.crashed_toast(copy) if crashed else screens.too_busy_toast(copy)
            return AnswerCallback(callback_id=row.callback_id, text=text, is_alert=crashed)
        if crashed:
            return ShowScreen(screen=screens.crashed_notice(copy))
        # One slot: a user who floods the bot reads this once, not once per message.
        return ShowScreen(screen=screens.too_busy_notice(copy), slot="too_busy")
