"""Refusals: an update that cannot be handled ends visibly, with a reason."""

from collections.abc import Callable

from attrs import frozen

from trt.actors.in_hand import InHand
from trt.actors.unhandled import Desk, event_of, turn_away
from trt.domain.reasons import Reason
from trt.sources import Sources
from trt.storage.database import Database
from trt.storage.inbox import InboxRow
from trt.supervision import Context
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
    desk: Desk
    wake_delivery: Callable[[], None]
    in_hand: InHand


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
            await self._refuse(turn.message.row, turn.message.reason)

    async def _refuse(self, row: InboxRow, reason: Reason) -> None:
        parts = self._parts
        told = await parts.db.transact(turn_away, row, reason, parts.desk, parts.sources.now())
        parts.in_hand.finish(row.update_id)
        if told:
            parts.events.emit(
                event_of(reason),
                cid=row.cid,
                update_id=row.update_id,
                user_id=row.user_id,
                kind=row.kind,
                reason_code=reason,
            )
            parts.wake_delivery()
