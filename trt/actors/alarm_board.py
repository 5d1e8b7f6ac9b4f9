"""The alarm board: what the operator has to hear of, until somebody has told them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from attrs import frozen

from trt.actors.bells import Bell
from trt.domain.ids import Cid
from trt.domain.reasons import Reason
from trt.telegram.updates import PAYMENT_KINDS
from trt.telemetry.events import Event, EventName, FieldValue

ALARM_EVERY_S: Final = 3600.0
"""One of a kind is enough: whoever looks after the first one finds the others in the log."""

_KEYS: Final[Mapping[EventName, str]] = {
    EventName.BOOKS_BROKEN: "alarm.books",
    EventName.CREDITS_DRIFT: "alarm.drift",
    EventName.PAYMENT_ODD: "alarm.payment_odd",
    EventName.PAYMENT_TAKEN_BACK: "alarm.taken_back",
    EventName.STARS_FOREIGN: "alarm.stars_foreign",
    EventName.STARS_UNKNOWN: "alarm.stars_unknown",
    EventName.STARS_WENT: "alarm.stars_went",
}
_REASON_KEYS: Final[Mapping[str, str]] = {
    Reason.KIE_ACCOUNT: "alarm.vendor_account",
    Reason.KIE_NO_CREDITS: "alarm.vendor_credits",
    Reason.KIE_MODEL_GONE: "alarm.model_gone",
    Reason.JOB_CRASHED: "alarm.job_crashed",
}
"""Of OPERATOR_ALARM; as many as there are in `ALARMS`."""


@frozen(kw_only=True)
class Alarm:
    """One event that the operator has to hear of."""

    key: str
    """Of its words, which is also its kind."""
    cid: Cid
    at: datetime
    values: Mapping[str, FieldValue]
    """The event's fields."""


class AlarmBoard:
    """A tap that keeps the first event of each kind that nobody has told the operator of.

    It is the instance's: what is on it when a branch ends is told by the next one.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Alarm] = {}
        self._told_at: dict[str, datetime] = {}
        self._bell = Bell()

    def __call__(self, event: Event, /) -> None:
        """Put an event on the board if it is an alarm, and none of its kind was told lately."""
        key = _key_of(event)
        if key is None:
            return
        told_at = self._told_at.get(key)
        if told_at is not None and event.at < told_at + timedelta(seconds=ALARM_EVERY_S):
            return
        cid = Cid(str(event.fields["cid"]))
        self._waiting.setdefault(key, Alarm(key=key, cid=cid, at=event.at, values=event.fields))
        self._bell.ring()

    def waiting(self) -> tuple[Alarm, ...]:
        """Return what is on the board, oldest first."""
        return tuple(self._waiting.values())

    def told(self, alarm: Alarm) -> None:
        """Take an alarm off: the operator knows."""
        self._waiting.pop(alarm.key, None)
        self._told_at[alarm.key] = alarm.at

    async def wait(self) -> None:
        """Return once something was put on the board since the last time."""
        await self._bell.wait()


def _key_of(event: Event) -> str | None:
    """Return the key of an event's words, or None if it is no alarm."""
    fields = event.fields
    match event.name:
        case EventName.OPERATOR_ALARM:
            return _REASON_KEYS[str(fields["reason_code"])]
        case EventName.DISPATCH_FAIL if fields.get("kind") in PAYMENT_KINDS:
            return "alarm.payment_unhandled"
        case EventName.REFUND_ENDED if fields["outcome"] == "refused":
            return "alarm.refund_refused"
        case EventName.STARS_RECONCILED if fields["credited"] or fields["taken_back"]:
            return "alarm.reconciled"
        case _:
            return _KEYS.get(event.name)
