"""The taps whose spinner still turns: who may answer them, and by when."""

from trt.domain.ids import CallbackId, Cid, UserId

ANSWERED_KEPT = 4096
"""More than there are taps in the seconds between an answer and what comes too late for it."""


class OpenTaps:
    """Remembers taps from the moment the dispatcher sees them until somebody answers.

    Telegram takes one answer per tap. The handler's own answer comes through the outbox; when it is
    late (a slow or crashing handler), the callback clock takes the tap and answers without words,
    and while another instance leads the passive responder does. The board belongs to the shard and
    outlives both branches, so that nobody answers what was answered.
    """

    def __init__(self) -> None:
        self._due_s: dict[CallbackId, tuple[float, Cid, UserId]] = {}
        self._answered: dict[CallbackId, None] = {}

    def open(self, callback_id: CallbackId, *, due_s: float, cid: Cid, user_id: UserId) -> None:
        """Remember a tap that must be answered by `due_s` on trio's clock."""
        if callback_id not in self._answered:
            self._due_s.setdefault(callback_id, (due_s, cid, user_id))

    def take(self, callback_id: CallbackId) -> None:
        """Take a tap to answer it: nobody else has to."""
        self._due_s.pop(callback_id, None)

    def note_answered(self, callback_id: CallbackId) -> None:
        """Remember that a tap has its answer."""
        self.take(callback_id)
        self._answered[callback_id] = None
        if len(self._answered) > ANSWERED_KEPT:
            del self._answered[next(iter(self._answered))]

    def is_answered(self, callback_id: CallbackId) -> bool:
        """Whether a tap has its answer, as far as this instance knows."""
        return callback_id in self._answered

    def overdue(self, now_s: float) -> list[tuple[CallbackId, Cid, UserId]]:
        """Take every tap that nobody answered in time."""
        late = [
            (callback_id, cid, user_id)
            for callback_id, (due_s, cid, user_id) in self._due_s.items()
            if due_s <= now_s
        ]
        for callback_id, _, _ in late:
            del self._due_s[callback_id]
        return late

    def next_due_s(self) -> float | None:
        """Return the earliest due time, or None when every spinner has stopped."""
        return min((due_s for due_s, _, _ in self._due_s.values()), default=None)
