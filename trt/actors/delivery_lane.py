"""A lane: what waits to be sent in one chat, in order."""

from collections import Counter, deque

from attrs import define, field

from trt.domain.ids import ChatId, MessageId
from trt.domain.replies import ShowScreen
from trt.storage.outbox import OutboxId, OutboxRow


@define
class Lane:
    """The rows of one chat. A newer screen of a slot pushes an older, unsent one out."""

    chat_id: ChatId
    _waiting: deque[OutboxRow] = field(factory=deque)
    _slots: dict[str, MessageId] = field(factory=dict)
    _doubts: Counter[OutboxId] = field(factory=Counter)
    _ways_tried: Counter[OutboxId] = field(factory=Counter)

    def add(self, row: OutboxRow) -> OutboxRow | None:
        """Append a row; returns the row that it made superfluous, if any."""
        slot = slot_of(row)
        pushed_out = None
        if slot is not None:
            pushed_out = next((r for r in self._waiting if slot_of(r) == slot), None)
            if pushed_out is not None:
                self._waiting.remove(pushed_out)
            if row.slot_message_id is not None:
                self._slots.setdefault(slot, row.slot_message_id)
        self._waiting.append(row)
        return pushed_out

    def next(self) -> OutboxRow | None:
        """Take the row that is to be sent now."""
        return self._waiting.popleft() if self._waiting else None

    def put_back(self, row: OutboxRow) -> None:
        """Return a row that was not sent to the front."""
        self._waiting.appendleft(row)

    def is_outdated(self, row: OutboxRow) -> bool:
        """Whether a newer screen of the same slot waits behind this one."""
        slot = slot_of(row)
        return slot is not None and any(slot_of(other) == slot for other in self._waiting)

    def target(self, row: OutboxRow) -> MessageId | None:
        """Return the message that a row's slot lives in, if one was sent."""
        slot = slot_of(row)
        return None if slot is None else self._slots.get(slot)

    def arrived(self, row: OutboxRow, message_id: MessageId | None) -> None:
        """Note where a slot lives now."""
        slot = slot_of(row)
        if slot is not None and message_id is not None:
            self._slots[slot] = message_id

    def doubt(self, row: OutboxRow) -> int:
        """Count one send of uncertain fate; returns how many the row has had in all its life."""
        self._doubts[row.outbox_id] += 1
        return row.attempts_ambiguous + self._doubts[row.outbox_id]

    def other_way(self, row: OutboxRow, steps: int = 1) -> None:
        """Note that so many ways of saying a row do not work, and put it back for the next."""
        self._ways_tried[row.outbox_id] += steps
        self.put_back(row)

    def ways_tried(self, row: OutboxRow) -> int:
        """Return how many ways of saying a row did not work."""
        return self._ways_tried[row.outbox_id]

    def __len__(self) -> int:
        return len(self._waiting)


def slot_of(row: OutboxRow) -> str | None:
    """Return the slot of a row's screen."""
    return row.reply.slot if isinstance(row.reply, ShowScreen) else None
