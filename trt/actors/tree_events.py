"""What the runtime reports, told as events of the catalogue."""

from typing import assert_never

from trt.supervision import (
    Crashed,
    DeadLettered,
    DidNotStop,
    GaveUp,
    Ready,
    Restarting,
    Started,
    Stopped,
    StopRequested,
    SupervisionEvent,
)
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream


def tell(events: EventStream, event: SupervisionEvent) -> None:
    """Tell one supervision event; messages and error texts stay out, the log has the traceback."""
    match event:
        case Started(path=path, incarnation=incarnation):
            events.emit(EventName.ACTOR_STARTED, actor=path, incarnation=incarnation)
        case Crashed(path=path, error=error):
            events.emit(EventName.ACTOR_CRASHED, error, actor=path)
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
