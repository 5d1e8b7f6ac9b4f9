"""Cashier: the lane of questions that wait behind nothing."""

import trio
from attrs import frozen

from trt.actors.checkout import Checkout
from trt.actors.in_hand import InHand
from trt.domain.reasons import Reason
from trt.sources import Sources
from trt.storage import inbox
from trt.storage.database import Database
from trt.storage.inbox import InboxRow, InboxState
from trt.supervision import Context


@frozen
class AskedToPay:
    """May this payment go on? The update is committed in the inbox."""

    row: InboxRow


@frozen(kw_only=True)
class CashierParts:
    """What the cashier shares with the rest of the active branch."""

    db: Database
    sources: Sources
    checkout: Checkout
    in_hand: InHand
    epoch: int


class Cashier:
    """Answers each pre-checkout at once, whatever the user's session or the database is doing.

    Receives `AskedToPay` from the dispatcher; answers first, and closes the row after. A restart
    loses nothing: an open row is found by the sweep, and answered again, which does no harm.
    """

    def __init__(self, parts: CashierParts) -> None:
        self._parts = parts

    async def run(self, ctx: Context[AskedToPay]) -> None:
        """Answer until asked to stop; what is under way is finished within the grace."""
        async with trio.open_nursery() as nursery:
            async for turn in ctx.turns():
                nursery.start_soon(self._serve, turn.message.row)

    async def _serve(self, row: InboxRow) -> None:
        parts = self._parts
        await parts.checkout.answer(row)
        await parts.db.transact(
            inbox.finish,
            bot_id=row.bot_id,
            update_id=row.update_id,
            state=InboxState.DONE,
            reason=Reason.SUCCESS,
            epoch=parts.epoch,
            now=parts.sources.now(),
        )
        parts.in_hand.finish(row.update_id)
