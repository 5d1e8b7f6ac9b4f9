"""Dispatcher: finds or starts the session of each update's user."""

from contextlib import suppress

import trio
from attrs import frozen

from trt.actors.callback_clock import ANSWER_WITHIN_S, TapOpened
from trt.actors.open_taps import OpenTaps
from trt.actors.refusals import Refuse
from trt.actors.session import HandleUpdate
from trt.domain.ids import BotId, Shard, UpdateId, UserId
from trt.domain.reasons import Reason
from trt.sources import Sources
from trt.storage import inbox
from trt.storage.database import Database
from trt.storage.inbox import InboxRow
from trt.supervision import Context, Directory, DirectoryFull, MailboxFull, Ref
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream

SWEEP_EVERY_S = 0.25
HANDOVER_S = 0.2
"""An update as young as this is on its way through the channel. Both together are how long one can
stay unnoticed that a passive instance took, or whose carrier crashed: less than the grace after
which the passive instance tells its user to wait."""
SWEEP_MAX = 500
TURN_MAX = 64
ATTEMPTS_MAX = 5
"""Takeovers that one update may survive unhandled before it is refused as the likely cause."""


class InHand:
    """The updates that some session of this branch has in its mailbox or is handling."""

    def __init__(self) -> None:
        self._ids: set[UpdateId] = set()

    def take(self, update_id: UpdateId) -> bool:
        """Note an update; False if somebody has it already."""
        if update_id in self._ids:
            return False
        self._ids.add(update_id)
        return True

    def drop(self, update_id: UpdateId) -> None:
        """Forget an update that is finished, or that nobody could take."""
        self._ids.discard(update_id)


@frozen(kw_only=True)
class DispatcherParts:
    """What the dispatcher needs of the active branch."""

    db: Database
    sources: Sources
    events: EventStream
    bot_id: BotId
    shard: Shard
    sessions: Directory[UserId, HandleUpdate]
    refusals: Ref[Refuse]
    clock: Ref[TapOpened]
    taps: OpenTaps
    in_hand: InHand


class Dispatcher:
    """Holds the receiver of the ingress channel while this instance is active.

    Receives committed updates; sends each to its user's session, and refuses politely when that
    one user's mailbox is full. At the start, and then all the time, it sweeps the inbox for updates
    that nobody has in hand: those of the former holder, of a passive instance, of a crash.
    """

    def __init__(
        self, parts: DispatcherParts, updates: "trio.MemoryReceiveChannel[InboxRow]"
    ) -> None:
        self._parts = parts
        self._updates = updates

    async def run(self, ctx: Context[None]) -> None:
        """Dispatch until asked to stop; what is not dispatched stays in the inbox."""
        parts = self._parts
        await parts.db.transact(inbox.count_attempt, bot_id=parts.bot_id, shard=parts.shard)
        for row in await self._unfinished():
            self._dispatch(row)
        ctx.ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive)
            while await ctx.sleep(SWEEP_EVERY_S):
                await self._sweep()
            nursery.cancel_scope.cancel()

    async def _receive(self) -> None:
        while True:
            self._dispatch(await self._updates.receive())
            with suppress(trio.WouldBlock):
                for _ in range(TURN_MAX):  # a wake-up costs ten times what a row costs
                    self._dispatch(self._updates.receive_nowait())

    async def _sweep(self) -> None:
        now = self._parts.sources.now()
        for row in await self._unfinished():
            age_s = (now - row.received_at).total_seconds()
            if not 0.0 <= age_s < HANDOVER_S:  # another machine's clock may be ahead of ours
                self._dispatch(row)

    async def _unfinished(self) -> list[InboxRow]:
        parts = self._parts
        return await parts.db.transact(
            inbox.unfinished, bot_id=parts.bot_id, shard=parts.shard, limit=SWEEP_MAX
        )

    def _dispatch(self, row: InboxRow) -> None:
        parts = self._parts
        if not parts.in_hand.take(row.update_id):
            return
        if row.callback_id is not None:
            self._watch_spinner(row)
        if row.attempts > ATTEMPTS_MAX:
            self._refuse(row, Reason.HANDLER_CRASHED)
            return
        try:
            parts.sessions.tell_nowait(row.user_id, HandleUpdate(row))
        except (MailboxFull, DirectoryFull):
            self._refuse(row, Reason.MAILBOX_FULL)

    def _watch_spinner(self, row: InboxRow) -> None:
        parts = self._parts
        assert row.callback_id is not None
        parts.events.emit(
            EventName.CALLBACK_RECEIVED,
            cid=row.cid,
            update_id=row.update_id,
            user_id=row.user_id,
            callback_id=row.callback_id,
        )
        age_s = max(0.0, (parts.sources.now() - row.received_at).total_seconds())
        due_s = trio.current_time() + max(0.0, ANSWER_WITHIN_S - age_s)
        parts.taps.open(row.callback_id, due_s=due_s, cid=row.cid, user_id=row.user_id)
        with suppress(MailboxFull):  # the clock has wake-ups enough; it reads the board
            parts.clock.tell_nowait(TapOpened())

    def _refuse(self, row: InboxRow, reason: Reason) -> None:
        try:
            self._parts.refusals.tell_nowait(Refuse(row, reason))
        except MailboxFull:
            self._parts.in_hand.drop(row.update_id)  # the next sweep tries again
