"""EventLog: writes app_events in batches, best effort, and never holds up the flow."""

from datetime import timedelta
from typing import Any

import trio

from trt.sources import Sources
from trt.storage import app_events
from trt.storage.app_events import AppEvent
from trt.storage.database import Database
from trt.storage.errors import DatabaseUnavailable
from trt.supervision import ActorStopped, Context, MailboxFull, Ref
from trt.telemetry.events import Event, Level

BATCH_MAX = 256
KEEP_DAYS = 30
GATHER_S = 0.1
"""How long events gather for the next batch: what users wait for needs the database more."""
PRUNE_EVERY_S = 3600.0
PRUNE_MAX = 2000
"""Forgotten in one transaction; more would keep the others waiting."""

_COLUMNS = frozenset({"cid", "user_id", "chat_id", "update_id", "job_id", "model_id"})


class EventTap:
    """Hands events to the log actor; counts those for which it had no room."""

    def __init__(self, log: Ref[Event]) -> None:
        self._log = log
        self.dropped = 0

    def __call__(self, event: Event, /) -> None:
        """Pass on everything that tells a user's story; debug noise stays in the log file."""
        if event.level is Level.DEBUG and "cid" not in event.fields:
            return
        try:
            self._log.tell_nowait(event)
        except (MailboxFull, ActorStopped):
            self.dropped += 1


class EventLog:
    """Receives every event that the tap passes on; owns the table app_events.

    What it cannot write is dropped and counted: the log line on stderr is the record of last
    resort. A restart loses nothing, a crash of the process at most one batch.
    """

    def __init__(self, db: Database, sources: Sources) -> None:
        self._db = db
        self._sources = sources
        self._pruned_s = -PRUNE_EVERY_S
        self.lost = 0

    async def run(self, ctx: Context[Event]) -> None:
        """Write batches until asked to stop."""
        async for batch in ctx.batches(BATCH_MAX):
            rows = [_row(turn.message) for turn in batch]
            try:
                await self._db.transact(app_events.insert, rows)
                await self._prune()
            except DatabaseUnavailable:
                self.lost += len(rows)
            if len(batch) < BATCH_MAX:
                await ctx.sleep(GATHER_S)

    async def _prune(self) -> None:
        if trio.current_time() - self._pruned_s < PRUNE_EVERY_S:
            return
        self._pruned_s = trio.current_time()
        before = self._sources.now() - timedelta(days=KEEP_DAYS)
        while (
            await self._db.transact(app_events.prune, before=before, limit=PRUNE_MAX) == PRUNE_MAX
        ):
            pass


def _row(event: Event) -> AppEvent:
    fields = event.fields
    known: dict[str, Any] = {name: fields.get(name) for name in _COLUMNS}
    rest = {name: value for name, value in fields.items() if name not in _COLUMNS}
    return AppEvent(at=event.at, level=event.level, event=event.name, payload=rest, **known)
