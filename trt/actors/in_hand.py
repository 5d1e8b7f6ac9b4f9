"""InHand: the updates that this life of the branch has seen and not finished."""

from contextlib import suppress

import trio
from attrs import frozen

from trt.actors.callback_clock import TapOpened
from trt.actors.open_taps import OpenTap, OpenTaps
from trt.actors.unhandled import TAP_AGE_S_MAX, age_s
from trt.domain.ids import CallbackId, UpdateId
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback
from trt.sources import Sources
from trt.storage.inbox import InboxRow
from trt.supervision import MailboxFull, Ref
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream

ANSWER_WITHIN_S = 0.25
"""Leaves three quarters of the promised second for the call itself: when there is much to do, right
after a takeover, a call takes half a second."""
SPINNER_S = 1.0
"""How long a spinner may turn: an older one has been stopped by now, or it is too late for it."""
FINISHED_KEPT = 1024
"""How many finished updates are remembered: a sweep may have read them just before their commit."""


@frozen(kw_only=True)
class SpinnerParts:
    """What it takes to see to it that a tap's spinner stops in time."""

    sources: Sources
    events: EventStream
    clock: Ref[TapOpened]
    taps: OpenTaps


class InHand:
    """Keeps an update from being taken twice, and knows which one a session is about.

    From the first sight of a tap its spinner is watched. A session that was told of one update and
    finds an earlier one turns to that first: then the earlier one is what it crashes on.
    """

    def __init__(self, parts: SpinnerParts) -> None:
        self._parts = parts
        self._taken: dict[UpdateId, None] = {}
        self._finished: dict[UpdateId, None] = {}
        self._first: dict[UpdateId, InboxRow] = {}
        """By the update that a session was told of: the earlier one that it is about instead."""
        self._behind: dict[UpdateId, list[UpdateId]] = {}
        """By an update that is given up: those that wait for its end."""
        self._begun_again: set[UpdateId] = set()
        """Suspects whose attempt in this life of the branch is counted."""

    def take(self, row: InboxRow) -> bool:
        """Note an update; False if somebody has it already or has just finished it."""
        if row.update_id in self._taken or row.update_id in self._finished:
            return False
        self._taken[row.update_id] = None
        if row.callback_id is not None:
            self._see(row, row.callback_id)
        return True

    def finish(self, update_id: UpdateId) -> None:
        """Forget an update that has ended."""
        self._finished[update_id] = None
        if len(self._finished) > FINISHED_KEPT:
            del self._finished[next(iter(self._finished))]
        self._begun_again.discard(update_id)
        self.drop(update_id)

    def drop(self, update_id: UpdateId) -> None:
        """Forget an update that has not ended: whoever looks next may take it again."""
        self._taken.pop(update_id, None)
        self._first.pop(update_id, None)
        for waiting in self._behind.pop(update_id, ()):
            self._taken.pop(waiting, None)

    def turn_to(self, told: InboxRow, row: InboxRow) -> None:
        """Note that the session that was told of one update is about another one now."""
        if row.update_id == told.update_id:
            self._first.pop(told.update_id, None)
        else:
            self._first[told.update_id] = row
            self.take(row)

    def is_uncounted(self, row: InboxRow) -> bool:
        """Return whether a takeover found an update that was not begun again since then."""
        return row.attempts > 0 and row.update_id not in self._begun_again

    def count(self, row: InboxRow) -> None:
        """Note that the attempt at a suspect is counted; a crash of its session adds none."""
        self._begun_again.add(row.update_id)

    def abandon(self, told: InboxRow) -> None:
        """Forget what a session that stopped was told of, and what it was about."""
        self.drop(self._first.get(told.update_id, told).update_id)
        self.drop(told.update_id)

    def give_up(self, told: InboxRow) -> InboxRow:
        """Return what a session kept crashing on; what it was told of waits for its end."""
        culprit = self._first.pop(told.update_id, told)
        if culprit is not told:
            self._behind.setdefault(culprit.update_id, []).append(told.update_id)
        return culprit

    def _see(self, row: InboxRow, callback_id: CallbackId) -> None:
        parts = self._parts
        parts.events.emit(
            EventName.CALLBACK_RECEIVED,
            cid=row.cid,
            update_id=row.update_id,
            user_id=row.user_id,
            callback_id=callback_id,
        )
        waited_s = max(0.0, age_s(row, parts.sources.now()))
        if waited_s >= TAP_AGE_S_MAX:
            return  # no spinner turns that long, and Telegram takes no answer any more
        if waited_s >= SPINNER_S:
            waited_s = 0.0  # whoever was passive has answered it; the handler's words may follow
        due_s = trio.current_time() + max(0.0, ANSWER_WITHIN_S - waited_s)
        answer = AnswerCallback(callback_id=callback_id)
        parts.taps.open(
            OpenTap(answer=answer, due_s=due_s, cid=row.cid, reason=Reason.DOWNSTREAM_TIMEOUT)
        )
        with suppress(MailboxFull):  # the clock has wake-ups enough; it reads the board
            parts.clock.tell_nowait(TapOpened())
