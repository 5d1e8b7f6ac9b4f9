"""Dispatcher: finds or starts the session of each update's user."""

from contextlib import suppress

import trio
from attrs import frozen

from trt.actors.bells import Bell
from trt.actors.cashier import AskedToPay
from trt.actors.in_hand import InHand
from trt.actors.refusals import Refuse
from trt.actors.session import HandleUpdate
from trt.domain.ids import BotId, Shard, UserId
from trt.domain.reasons import Reason
from trt.storage import inbox
from trt.storage.database import Database
from trt.storage.inbox import InboxRow
from trt.supervision import Context, Directory, DirectoryFull, MailboxFull, Ref
from trt.telegram.updates import PAYMENT_KINDS, PRE_CHECKOUT

SWEEP_EVERY_S = 0.25
"""How long an update can stay unnoticed that a passive instance took, if its bell was not heard,
or whose carrier crashed: less than the grace after which its user is told to wait."""
SWEEP_PAUSE_S = 0.01
"""After a sweep, whatever rings: one query finds all that arrived meanwhile."""
SWEEP_MAX = 500
TURN_MAX = 64
NEVER_REFUSED = PAYMENT_KINDS | {inbox.SENT_ON}
"""What is about money, and not for its sender to repeat."""


@frozen(kw_only=True)
class DispatcherParts:
    """What the dispatcher needs of the active branch."""

    db: Database
    bot_id: BotId
    shard: Shard
    sessions: Directory[UserId, HandleUpdate]
    refusals: Ref[Refuse]
    cashier: Ref[AskedToPay]
    in_hand: InHand
    arrived: Bell
    """Rung when a passive instance has taken updates of this shard."""
    marks_suspects: bool
    """Whether the last holder went without a word: then what it left open may be the reason."""


class Dispatcher:
    """Holds the receiver of the ingress channel while this instance is active.

    Receives committed updates; sends each to its user's session, and refuses politely when that
    one user's mailbox is full. A pre-checkout goes to the cashier: it waits behind nothing. At the
    start, and then all the time, it sweeps the inbox for updates that nobody has in hand: those of
    the former holder, of a passive instance, of a crash.
    """

    def __init__(
        self, parts: DispatcherParts, updates: "trio.MemoryReceiveChannel[InboxRow]"
    ) -> None:
        self._parts = parts
        self._updates = updates
        self._marks_suspects = parts.marks_suspects

    async def run(self, ctx: Context[None]) -> None:
        """Dispatch until asked to stop; what is not dispatched stays in the inbox."""
        parts = self._parts
        if self._marks_suspects:
            await parts.db.transact(inbox.mark_suspects, bot_id=parts.bot_id, shard=parts.shard)
            self._marks_suspects = False  # what came in since then was left open by nobody
        await self._sweep()
        ctx.ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive)
            while await ctx.sleep(SWEEP_PAUSE_S):
                with ctx.stop.interrupts(trio.current_time() + SWEEP_EVERY_S - SWEEP_PAUSE_S):
                    await parts.arrived.wait()
                if not ctx.is_stopping:
                    await self._sweep()
            nursery.cancel_scope.cancel()

    async def _receive(self) -> None:
        while True:
            self._dispatch(await self._updates.receive())
            with suppress(trio.WouldBlock):
                for _ in range(TURN_MAX):  # a wake-up costs ten times what a row costs
                    self._dispatch(self._updates.receive_nowait())

    async def _sweep(self) -> None:
        parts = self._parts
        for row in await parts.db.transact(
            inbox.unfinished, bot_id=parts.bot_id, shard=parts.shard, limit=SWEEP_MAX
        ):
            self._dispatch(row)

    def _dispatch(self, row: InboxRow) -> None:
        parts = self._parts
        if not parts.in_hand.take(row):
            return
        try:
            if row.kind == PRE_CHECKOUT:
                parts.cashier.tell_nowait(AskedToPay(row), cid=row.cid)
            else:
                parts.sessions.tell_nowait(row.user_id, HandleUpdate(row), cid=row.cid)
        except (MailboxFull, DirectoryFull):
            if row.kind in NEVER_REFUSED:
                parts.in_hand.drop(row.update_id)  # the sweep tries again
            else:
                self._refuse(row)

    def _refuse(self, row: InboxRow) -> None:
        try:
            self._parts.refusals.tell_nowait(Refuse(row, Reason.MAILBOX_FULL), cid=row.cid)
        except MailboxFull:
            self._parts.in_hand.drop(row.update_id)  # the next sweep tries again
