"""Auditor: recomputes everybody's money from the transfers, some users at a time."""

from datetime import datetime
from functools import partial

import trio
from attrs import define, frozen

from trt.actors.chore import keep_doing
from trt.sources import Sources
from trt.storage import books
from trt.storage.books import USER_ID_MAX
from trt.storage.database import Database
from trt.storage.errors import DatabaseUnavailable
from trt.supervision import Context
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream

EVERY_S = 3600.0
SLICE_USERS = 200
"""Audited in one transaction; more would keep the others waiting."""
PAUSE_S = 0.05
RETRY_S = 60.0
SHOWN_MAX = 3


@define
class BooksView:
    """What the last whole audit found, for /health; None before there was one."""

    is_balanced: bool | None = None
    checked_at: datetime | None = None
    problems_count: int = 0


@frozen(kw_only=True)
class AuditorParts:
    """What the auditor needs of the active branch."""

    db: Database
    sources: Sources
    events: EventStream
    view: BooksView


class Auditor:
    """Looks through all the books soon after the start and every hour; changes nothing.

    Receives nothing, owns the view that /health shows. A restart begins a look anew.
    """

    def __init__(self, parts: AuditorParts) -> None:
        self._parts = parts

    async def run(self, ctx: Context[None]) -> None:
        """Audit until asked to stop."""
        await keep_doing(ctx, partial(self._try, ctx))

    async def _try(self, ctx: Context[None]) -> float:
        try:
            return await self._audit(ctx)
        except DatabaseUnavailable:
            return RETRY_S

    async def _audit(self, ctx: Context[None]) -> float:
        parts, began_s = self._parts, trio.current_time()
        problems: list[str] = []
        after = users = 0
        while after < USER_ID_MAX:
            upto = await parts.db.transact(books.next_slice, after=after, limit=SLICE_USERS)
            audit = await parts.db.transact(books.audit, after=after, upto=upto)
            problems += audit.problems
            users += audit.users
            after = upto
            if not await ctx.sleep(PAUSE_S):
                return PAUSE_S
        self._show(problems)
        if not problems:
            duration_s = round(trio.current_time() - began_s, 3)
            parts.events.emit(EventName.BOOKS_AUDITED, users=users, duration_s=duration_s)
        return EVERY_S

    def _show(self, problems: list[str]) -> None:
        view = self._parts.view
        view.is_balanced = not problems
        view.checked_at = self._parts.sources.now()
        view.problems_count = len(problems)
        if problems:
            self._parts.events.emit(
                EventName.BOOKS_BROKEN,
                cid=self._parts.sources.token(8),
                problems_count=len(problems),
                detail="; ".join(problems[:SHOWN_MAX]),
            )
