"""The taps whose spinner still turns: who may answer them, and by when."""

from trt.domain.ids import CallbackId, Cid, UserId


class OpenTaps:
    """Remembers taps from the moment the dispatcher sees them until somebody answers.

    Telegram takes one answer per tap. The handler's own answer comes through the outbox; when it is
    late (a slow or crashing handler), the callback clock takes the tap and answers without words.
    """

    def __init__(self) -> None:
        self._due_s: dict[CallbackId, tuple[float, Cid, UserId]] = {}

    def open(self, callback_id: CallbackId, *, due_s: float, cid: Cid, user_id: UserId) -> None:
        """Remember a tap that must be answered by `due_s` on trio's clock."""
        self._due_s.setdefault(callback_id, (due_s, cid, user_id))

    def take(self, callback_id: CallbackId) -> None:
        """Take a tap to answer it: nobody else has to."""
        self._due_s.pop(callback_id, None)

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
