"""UpdateIngress: the only writer of new updates; what it confirmed is never lost."""

from collections.abc import Sequence

from attrs import frozen

from trt.actors.ingress_channel import IngressChannel
from trt.domain.ids import Shard, UpdateId
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

    Receives `Accept` from the webhook and the poller; sends rows into the ingress channel of their
    shard, each shard's after a commit of its own. While a channel is full it waits with the next
    row in hand, its own mailbox fills, and the requests behind it run into their deadlines: that is
    the whole backpressure. A restart loses nothing: what was committed and not handed on is found
    by the dispatcher's sweep.
    """

    def __init__(
        self, db: Database, channels: Sequence[IngressChannel], events: EventStream
    ) -> None:
        """Make one; `channels` are the ingress channels by shard."""
        self._db = db
        self._channels = channels
        self._events = events

    async def run(self, ctx: Context[Accept]) -> None:
        """Commit batches until asked to stop."""
        async for batch in ctx.batches(BATCH_MAX):
            by_shard: dict[Shard, list[Turn[Accept]]] = {}
            for turn in batch:
                by_shard.setdefault(turn.message.row.shard, []).append(turn)
            for shard, turns in by_shard.items():
                await self._take(ctx, shard, turns)

    async def _take(
        self, ctx: Context[Accept], shard: Shard, turns: Sequence[Turn[Accept]]
    ) -> None:
        try:
            stored = await self._db.transact(inbox.store, [turn.message.row for turn in turns])
        except DatabaseUnavailable:
            for turn in turns:
                self._report(EventName.UPDATE_REFUSED, turn.message.row, Reason.DB_ERROR)
                turn.reply(NotStored())
            return
        fresh = self._answer(turns, stored)
        with ctx.stop.interrupts():
            for row in fresh:
                await self._channels[shard].send(row)

    def _answer(self, turns: Sequence[Turn[Accept]], stored: frozenset[UpdateId]) -> list[InboxRow]:
        """Tell each sender what became of its update; returns the rows that are new."""
        fresh = []
        waiting = set(stored)
        for turn in turns:
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
