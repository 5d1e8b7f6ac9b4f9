"""CallbackClock: no spinner turns for more than a second, whatever happens to the handler."""

from math import inf

import trio
from attrs import frozen

from trt.actors.open_taps import OpenTap, OpenTaps
from trt.supervision import Context
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnavailable
from trt.telegram.outcomes import CallbackExpired, Done
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream

CALLS_MAX = 8
"""At a time: of a crowd whose calls all run side by side, everybody is late."""


@frozen
class TapOpened:
    """Somebody has put a tap on the board."""


class CallbackClock:
    """Answers each tap that nobody answered in time.

    Receives `TapOpened` as a wake-up; reads the board of open taps; sends answerCallbackQuery by
    itself, past the outbox, whoever leads: to stop a spinner does no harm. A restart loses nothing
    but the calls under way: the board outlives it.
    """

    def __init__(self, taps: OpenTaps, telegram: TelegramClient, events: EventStream) -> None:
        self._taps = taps
        self._telegram = telegram
        self._events = events
        self._calling = trio.CapacityLimiter(CALLS_MAX)

    async def run(self, ctx: Context[TapOpened]) -> None:
        """Watch the board until asked to stop."""
        turns = ctx.turns()
        ctx.ready()
        async with trio.open_nursery() as nursery:
            while not ctx.is_stopping:
                for tap in self._taps.overdue(trio.current_time()):
                    nursery.start_soon(self._answer, tap)
                due_s = self._taps.next_due_s()
                with trio.move_on_at(inf if due_s is None else due_s):
                    async for _ in turns:
                        break
            # Another instance knows nothing of these taps' second; it goes on without their toasts.
            for tap in self._taps.overdue(inf):
                nursery.start_soon(self._answer, tap)

    async def _answer(self, tap: OpenTap) -> None:
        answer = tap.answer
        try:
            async with self._calling:
                outcome = await self._telegram.answer_callback_query(
                    answer.callback_id, answer.text, is_alert=answer.is_alert
                )
        except TelegramUnavailable:
            result = "unavailable"
        else:
            result = type(outcome).__name__
            if isinstance(outcome, Done | CallbackExpired):  # else the handler's answer is needed
                self._taps.note_answered(answer.callback_id)
        self._events.emit(
            EventName.ANSWER_CALLBACK_QUERY,
            cid=tap.cid,
            callback_id=answer.callback_id,
            outcome=result,
            reason_code=tap.reason,
        )
