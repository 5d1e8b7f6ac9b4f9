"""What the runtime reports, told as events of the catalogue."""

from typing import assert_never

from trt.supervision import (
    Crashed,
    CrashVerdicts,
    DeadLettered,
    DidNotStop,
    GaveUp,
    Ready,
    Restarting,
    Started,
    Stopped,
    StopRequested,
    SupervisionEvent,
    crash_report,
)
from trt.telemetry.events import EventName, FieldValue
from trt.telemetry.stream import EventStream


class TreeEvents:
    """Tells supervision events; messages and texts of errors stay out.

    A crash is told twice: at once as `ACTOR_CRASHED`, and as `CRASH_REPORT`, with the places in the
    code, when it is known what follows from it.
    """

    def __init__(self, events: EventStream) -> None:
        self._events = events
        self._verdicts = CrashVerdicts(self._report)

    def hear(self, event: SupervisionEvent) -> None:
        """Tell one event, and the reports on crashes that wait for it."""
        _tell(self._events, event)
        self._verdicts.hear(event)

    def end(self) -> None:
        """Tell the reports that are still open, at the end of the tree."""
        self._verdicts.end()

    def _report(self, crashed: Crashed, verdict: Restarting | GaveUp | None) -> None:
        report = crash_report(crashed, verdict)
        self._events.emit(EventName.CRASH_REPORT, **_about(crashed), report=report)


def _tell(events: EventStream, event: SupervisionEvent) -> None:
    match event:
        case Started(path=path, incarnation=incarnation):
            events.emit(EventName.ACTOR_STARTED, actor=path, incarnation=incarnation)
        case Crashed():
            events.emit(EventName.ACTOR_CRASHED, **_about(event))
        case Restarting(path=path, delay_s=delay_s):
            events.emit(EventName.ACTOR_RESTARTING, actor=path, delay_s=round(delay_s, 3))
        case GaveUp(path=path):
            events.emit(EventName.ACTOR_GAVE_UP, actor=path)
        case Stopped(path=path):
            events.emit(EventName.ACTOR_STOPPED, actor=path)
        case DidNotStop(path=path):
            events.emit(EventName.ACTOR_DID_NOT_STOP, actor=path)
        case DeadLettered(path=path, letter=letter):
            events.emit(
                EventName.DEAD_LETTER,
                actor=path,
                message=type(letter.message).__name__,
                reason=letter.reason,
                attempt=letter.attempts,
            )
        case Ready() | StopRequested():
            pass
        case _:
            assert_never(event)


def _about(crashed: Crashed) -> dict[str, FieldValue]:
    about: dict[str, FieldValue] = {"actor": crashed.path, "error": type(crashed.error).__name__}
    if crashed.cid is not None:
        about["cid"] = crashed.cid
    return about
