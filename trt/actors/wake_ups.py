"""WakeUps: hears what other instances have committed, and rings the bells here."""

from trt.actors.bells import Bells
from trt.storage.errors import DatabaseUnavailable
from trt.storage.wake_bus import WakeSource
from trt.supervision import Context
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream

PAUSE_S_FIRST = 0.1
PAUSE_S_MAX = 5.0


class WakeUps:
    """Listens on a connection of its own, and opens it again when it breaks.

    Receives nothing, owns nothing. While it is deaf every bell's listener still polls, so a broken
    connection is no crash: a restart of this actor would take those below it along.
    """

    def __init__(self, source: WakeSource, bells: Bells, events: EventStream) -> None:
        self._source = source
        self._bells = bells
        self._events = events

    async def run(self, ctx: Context[None]) -> None:
        """Listen until asked to stop."""
        ctx.ready()
        pause_s = PAUSE_S_FIRST
        while not ctx.is_stopping:
            try:
                with ctx.stop.interrupts():
                    async with self._source.topics() as topics:
                        pause_s = PAUSE_S_FIRST
                        self._bells.ring_all()  # what was said before nobody has heard
                        async for topic in topics:
                            self._bells.ring(topic)
            except DatabaseUnavailable:
                self._events.emit(EventName.WAKE_UPS_LOST, retry_after_s=pause_s)
                await ctx.sleep(pause_s)
                pause_s = min(PAUSE_S_MAX, pause_s * 2)
