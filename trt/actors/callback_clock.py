"""CallbackClock: no spinner turns for more than a second, whatever happens to the handler."""

from math import inf

import trio
from attrs import frozen

from trt.actors.open_taps import OpenTaps
from trt.domain.ids import CallbackId, Cid, UserId
from trt.domain.reasons import Reason
from trt.supervision import Context
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnavailable
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream

ANSWER_WITHIN_S = 0.6
"""Leaves 0.4 s of the promised second for the call itself, also when there is much to do."""


@frozen
class TapOpened:
    """The dispatcher has put a tap on the board."""


class CallbackClock:
    """Answers without words each tap that its handler did not answer in time.

    Receives `TapOpened` as a wake-up; reads the board of open taps; sends answerCallbackQuery by
    itself, past the outbox. A restart loses nothing: the board outlives it.
    """

    def __init__(self, taps: OpenTaps, telegram: TelegramClient, events: EventStream) -> None:
        self._taps = taps
        self._telegram = telegram
        self._events = events

    async def run(self, ctx: Context[TapOpened]) -> None:
        """Watch the board until asked to stop."""
        turns = ctx.turns()
        ctx.ready()
        async with trio.open_nursery() as nursery:
            while not ctx.is_stopping:
                for callback_id, cid, user_id in self._taps.overdue(trio.current_time()):
                    nursery.start_soon(self._answer, callback_id, cid, user_id)
                due_s = self._taps.next_due_s()
                with trio.move_on_at(inf if due_s is None else due_s):
                    async for _ in turns:
                        break
            # Who takes over knows nothing of these taps' second; it goes on without their toasts.
            for callback_id, cid, user_id in self._taps.overdue(inf):
                nursery.start_soon(self._answer, callback_id, cid, user_id)

    async def _answer(self, callback_id: CallbackId, cid: Cid, user_id: UserId) -> None:
        try:
            outcome = await self._telegram.answer_callback_query(callback_id)
        except TelegramUnavailable:
            result = "unavailable"
        else:
            self._taps.note_answered(callback_id)
            result = type(outcome).__name__
        self._events.emit(
            EventName.ANSWER_CALLBACK_QUERY,
            cid=cid,
            user_id=user_id,
            callback_id=callback_id,
            outcome=result,
            reason_code=Reason.DOWNSTREAM_TIMEOUT,
        )
