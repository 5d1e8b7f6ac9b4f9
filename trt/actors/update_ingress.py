"""UpdateIngress: the only writer of new updates; what it confirmed is never lost."""

from collections.abc import Sequence

from attrs import frozen

from trt.actors.ingress_channel import IngressChannel
from trt.domain.reasons import Reason
from trt.storage import inbox
from trt.storage.database import Database
from trt.storage.errors import DatabaseUnavailable
from trt.storage.inbox import InboxRow
from trt.supervision import Ask, Context, Turn
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream

BATCH_MAX = 128
"""Updates per commit: one multi-row insert of this size costs about four single ones."""


@frozen
class Stored:
    """The update is committed; Telegram may forget it."""


@frozen
class Duplicate:
    """The update was committed before; Telegram may forget it."""


@frozen
class NotStored:
    """The database did not take it; Telegram must deliver it again."""


Verdict = Stored | Duplicate | NotStored


@frozen
class Accept(Ask[Verdict]):
    """Please commit this update."""

    row: InboxRow


class UpdateIngress:
    """Takes what has arrived, commits it in one insert, answers each waiting request, hands it on.

    Receives `Accept` from the webhook and the poller; sends rows into the ingress channel. While
    that channel is full it waits with the next row in hand, its own mailbox fills, and the requests
    behind it run into their deadlines: that is the whole backpressure. A restart loses nothing:
    what was committed and not handed on is found by the dispatcher's sweep.
    """

    def __init__(self, db: Database, channel: IngressChannel, events: EventStream) -> None:
        self._db = db
        self._channel = channel
        self._events = events

    async def run(self, ctx: Context[Accept]) -> None:
        """Commit batches until asked to stop."""
        async for batch in ctx.batches(BATCH_MAX):
            fresh = await self._commit(batch)
            with ctx.stop.interrupts():
                for row in fresh:
                    await self._channel.send(row)

    async def _commit(self, batch: Sequence[Turn[Accept]]) -> list[InboxRow]:
        rows = [turn.message.row for turn in batch]
        try:
            stored = await self._db.transact(inbox.store, rows)
        except DatabaseUnavailable:
            for turn in batch:
                self._report(EventName.UPDATE_REFUSED, turn.message.row, Reason.DB_ERROR)
                turn.reply(NotStored())
            return []
        fresh = []
        waiting = set(stored)
        for turn in batch:
            row = turn.message.row
            if row.update_id in waiting:
                waiting.remove(row.update_id)
                fresh.append(row)
                self._report(EventName.UPDATE_RECEIVED, row)
                turn.reply(Stored())
            else:
                self._report(EventName.UPDATE_DUPLICATE, row)
                turn.reply(Duplicate())
        return fresh

    def _report(self, name: EventName, row: InboxRow, reason: Reason | None = None) -> None:
        fields = {} if reason is None else {"reason_code": reason}
        self._events.emit(
            name,
            cid=row.cid,
            update_id=row.update_id,
            kind=row.kind,
            user_id=row.user_id,
            **fields,
        )
