"""CallbackIngress: KIE's callbacks, committed first and then passed on as wake-ups."""

from collections.abc import Sequence
from contextlib import suppress

import trio
from attrs import frozen

from trt.domain.ids import JobId, TaskId
from trt.sources import Sources
from trt.storage import jobs, kie_callbacks
from trt.storage.database import Database, Transaction
from trt.storage.errors import DatabaseUnavailable
from trt.storage.jobs import JobOrigin
from trt.supervision import Ask, Context
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream


@frozen
class CallbackStored:
    """The callback is committed, now or before; KIE may forget it."""


@frozen
class CallbackNotStored:
    """The database did not take it; KIE should call again, and polling goes on anyway."""


@frozen
class Store(Ask[CallbackStored | CallbackNotStored]):
    """Please commit that KIE called back: this task belongs to this job."""

    job_id: JobId
    task_id: TaskId


class CallbackIngress:
    """Stores callbacks in every mode and wakes whoever holds the callback channel.

    Receives `Store` from the callback route; sends job ids. It writes no job: a passive instance
    may store what the active one will act on. A lost wake-up costs one look of the job keeper.
    """

    def __init__(
        self,
        db: Database,
        wake_ups: "Sequence[trio.MemorySendChannel[JobId]]",
        sources: Sources,
        events: EventStream,
    ) -> None:
        """Make one; `wake_ups` are the callback channels by shard."""
        self._db = db
        self._wake_ups = wake_ups
        self._sources = sources
        self._events = events

    async def run(self, ctx: Context[Store]) -> None:
        """Store callbacks until asked to stop."""
        async for turn in ctx.turns():
            order = turn.message
            try:
                origin, is_new = await self._db.transact(self._store, order)
            except DatabaseUnavailable:
                turn.reply(CallbackNotStored())
                continue
            turn.reply(CallbackStored())
            self._events.emit(
                EventName.KIE_CALLBACK,
                cid=None if origin is None else origin.cid,
                job_id=order.job_id,
                task_id=order.task_id,
                is_duplicate=not is_new,
            )
            if origin is not None:
                with suppress(trio.WouldBlock):  # then the keeper's look finds the row
                    self._wake_ups[origin.shard].send_nowait(order.job_id)

    def _store(self, tx: Transaction, order: Store) -> tuple[JobOrigin | None, bool]:
        origin = jobs.origin_of(tx, order.job_id)
        is_new = kie_callbacks.store(tx, order.job_id, order.task_id, self._sources.now())
        return origin, is_new
