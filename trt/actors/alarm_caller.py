"""AlarmCaller: what only the operator can mend reaches the admin's chat."""

from collections.abc import Callable
from datetime import timedelta

from attrs import frozen

from trt.actors.alarm_board import ALARM_EVERY_S, Alarm, AlarmBoard
from trt.actors.money_notices import spoken_by
from trt.domain.alarm_screens import alarm_notice
from trt.domain.copy import Copies
from trt.domain.ids import ChatId, Shard, UserId
from trt.domain.replies import ShowScreen
from trt.sources import Sources
from trt.storage import alarms, outbox
from trt.storage.database import Database, Transaction
from trt.supervision import Context


@frozen(kw_only=True)
class AlarmParts:
    """What the caller needs of the active branch."""

    db: Database
    sources: Sources
    copies: Copies
    board: AlarmBoard
    admin_id: UserId
    shard: Shard
    epoch: int
    wake_delivery: Callable[[], None]


class AlarmCaller:
    """Turns what is on the board into messages to the admin, one an hour of each kind.

    Receives nothing; owns the table alarms, by which all instances together keep to that. A
    restart loses nothing: an alarm leaves the board after its message is committed.
    """

    def __init__(self, parts: AlarmParts) -> None:
        self._parts = parts

    async def run(self, ctx: Context[None]) -> None:
        """Tell until asked to stop."""
        parts = self._parts
        ctx.ready()
        while not ctx.is_stopping:
            for alarm in parts.board.waiting():
                is_told = await parts.db.transact(self._tell, alarm)
                parts.board.told(alarm)
                if is_told:
                    parts.wake_delivery()
            with ctx.stop.interrupts():
                await parts.board.wait()

    def _tell(self, tx: Transaction, alarm: Alarm) -> bool:
        """Put the message into the outbox; False if one of its kind was sent within the hour."""
        parts, now = self._parts, self._parts.sources.now()
        quiet_since = now - timedelta(seconds=ALARM_EVERY_S)
        if not alarms.note(tx, alarm.key, alarm.cid, now=now, unless_since=quiet_since):
            return False
        copy = parts.copies.of(spoken_by(tx, parts.admin_id))
        outbox.put(
            tx,
            shard=parts.shard,
            chat_id=ChatId(parts.admin_id),  # a private chat has the id of its user
            reply=ShowScreen(screen=alarm_notice(copy, alarm.key, alarm.cid, alarm.values)),
            cid=alarm.cid,
            job_id=None,
            epoch=parts.epoch,
            now=now,
        )
        return True
