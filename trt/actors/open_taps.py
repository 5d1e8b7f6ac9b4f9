"""The taps whose spinner still turns: who may answer them, with what, and by when."""

from attrs import frozen

from trt.domain.ids import CallbackId, Cid
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback

REMEMBERED_MAX = 4096
"""More than there are taps in the seconds between an answer and what comes too late for it."""


@frozen(kw_only=True)
class OpenTap:
    """A tap that must have its answer by a certain time."""

    answer: AnswerCallback
    """What the clock says if nobody else has answered by then."""
    due_s: float
    """On trio's clock."""
    cid: Cid
    reason: Reason
    """Why it is the clock that answers."""


class OpenTaps:
    """Remembers taps from the moment this instance sees them until somebody answers.

    Telegram takes one answer per tap. The handler's own answer comes through the outbox; when it is
    late (a slow or crashing handler, an instance that hangs), the callback clock answers. The board
    belongs to the process and outlives every change of the lease, so that no tap is forgotten in
    one and nobody answers what was answered.
    """

    def __init__(self) -> None:
        self._open: dict[CallbackId, OpenTap] = {}
        self._tried: dict[CallbackId, None] = {}
        self._answered: dict[CallbackId, None] = {}

    def open(self, tap: OpenTap) -> bool:
        """Remember a tap; of two views of the same one the more urgent counts.

        Returns:
            False when it was not needed: answered, tried, or watched more closely already.
        """
        callback_id = tap.answer.callback_id
        known = self._open.get(callback_id)
        if (
            callback_id in self._answered
            or callback_id in self._tried
            or (known is not None and known.due_s <= tap.due_s)
        ):
            return False
        self._open[callback_id] = tap
        return True

    def take(self, callback_id: CallbackId) -> None:
        """Take a tap to answer it: nobody else has to."""
        self._open.pop(callback_id, None)

    def note_answered(self, callback_id: CallbackId) -> None:
        """Remember that a tap has its answer."""
        self.take(callback_id)
        _remember(self._answered, callback_id)

    def is_answered(self, callback_id: CallbackId) -> bool:
        """Whether a tap has its answer, as far as this instance knows."""
        return callback_id in self._answered

    def overdue(self, now_s: float) -> list[OpenTap]:
        """Take every tap that nobody answered in time, for the one try that the clock has."""
        late = [tap for tap in self._open.values() if tap.due_s <= now_s]
        for tap in late:
            del self._open[tap.answer.callback_id]
            _remember(self._tried, tap.answer.callback_id)
        return late

    def next_due_s(self) -> float | None:
        """Return the earliest due time, or None when every spinner has stopped."""
        return min((tap.due_s for tap in self._open.values()), default=None)


def _remember(taps: dict[CallbackId, None], callback_id: CallbackId) -> None:
    taps[callback_id] = None
    if len(taps) > REMEMBERED_MAX:
        del taps[next(iter(taps))]
