"""`Mailbox`: a bounded queue that outlives the incarnations of its actor."""

from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Any, Generic, TypeVar

import trio
from attrs import define, frozen
from trio.lowlevel import Abort, Task, checkpoint, current_task, reschedule, wait_task_rescheduled
from typing_extensions import override

from trt.supervision.asker import Asker
from trt.supervision.errors import ActorStopped, MailboxFull, MessageDropped
from trt.supervision.ref import Ref
from trt.supervision.turn import Turn

M = TypeVar("M")


class Overflow(Enum):
    """What becomes of a message for which there is no room."""

    WAIT = auto()  # its sender waits, unless it said that it will not (`tell_nowait`)
    REFUSE = auto()  # its sender gets `MailboxFull`, also from `tell` and `ask`
    DROP_OLDEST = auto()  # it takes the place of the oldest, which becomes a dead letter


@frozen(kw_only=True)
class MailboxStatistics:
    """What a mailbox says of itself; `depth` counts the messages that nobody has taken yet."""

    name: str
    capacity: int
    depth: int
    peak: int
    sent: int
    received: int
    refused: int
    oldest_age_s: float
    waiting_senders: int
    expired: int = 0
    late_replies: int = 0
    dropped: int = 0


@define(eq=False)
class _Sender:
    """One who waits for room."""

    turn: Turn[Any]
    task: Task
    is_admitted: bool = False


class Mailbox(Generic[M]):
    """A bounded queue of messages of type `M`, owned by one actor at a time.

    It is open from the start, so messages may arrive before the actor does. The final stop of the
    actor closes it; an actor that is started on it later opens it again. What an actor had in hand
    when it was cut off is put back in front, beyond the capacity if need be.
    """

    def __init__(self, name: str, capacity: int, *, overflow: Overflow = Overflow.WAIT) -> None:
        assert capacity >= 1, "a mailbox holds at least one message"
        self.name = name
        self.capacity = capacity
        self.overflow = overflow
        self.ref: Ref[M] = Ref(self)
        self.reader: Asker | None = None
        self.on_dropped: Callable[[Turn[M]], None] | None = None
        self.on_rest: Callable[[], None] | None = None
        """Called whenever the reader begins to wait."""
        self.expired = 0
        self.late_replies = 0
        self._queue: deque[Turn[M]] = deque()
        # In order of arrival; made for whoever waits: mostly nobody does.
        self._senders: dict[_Sender, None] | None = None
        self._reading: Task | None = None
        self._peak = self._received = self._refused = self._dropped = 0
        self._capacity_open = capacity
        # Since when the reader is about to look around, in the present turn of the scheduler or
        # the next. What arrives until then counts as sent then: it need not look at the clock.
        self._coming_at: float | None = None

    @override
    def __repr__(self) -> str:
        return f"<Mailbox {self.name} {self.depth}/{self.capacity}>"

    # Senders

    def put_nowait(self, turn: Turn[Any]) -> None:
        """Queue `turn` at once, or raise `MailboxFull` or `ActorStopped`."""
        queue = self._queue
        if len(queue) < self._capacity_open:  # the short way, for most
            queue.append(turn)
            if self._coming_at is None:
                turn.sent_at = trio.current_time()
                self.wake()
            else:
                turn.sent_at = self._coming_at
        elif not self._offer(turn):
            self._refused += 1
            raise MailboxFull(self.name, turn.message)

    def has_room(self) -> bool:
        """Whether `put` would not wait."""
        return len(self._queue) < self.capacity or self.overflow is not Overflow.WAIT

    async def put(self, turn: Turn[Any]) -> None:
        """Queue `turn`, waiting for room; raise `ActorStopped` when the mailbox closes."""
        if self._offer(turn):
            return
        if self.overflow is Overflow.REFUSE:
            self._refused += 1
            raise MailboxFull(self.name, turn.message)
        sender = _Sender(turn, current_task())
        senders = self._senders = self._senders or {}
        senders[sender] = None

        def abort(_: object) -> Abort:
            senders.pop(sender)
            return Abort.SUCCEEDED

        await wait_task_rescheduled(abort)
        if not sender.is_admitted:
            raise ActorStopped(self.name, turn.message)

    def _offer(self, turn: Turn[M]) -> bool:
        if self._capacity_open == 0:
            raise ActorStopped(self.name, turn.message)
        turn.sent_at = trio.current_time()
        if len(self._queue) >= self.capacity:
            if self.overflow is not Overflow.DROP_OLDEST:
                return False
            self._drop(self._queue.popleft())
        self._add(turn)
        return True

    def _add(self, turn: Turn[M]) -> None:
        self._queue.append(turn)
        if self._reading is not None:
            self.wake()

    def _drop(self, turn: Turn[M]) -> None:
        self._dropped += 1
        if self.on_dropped is not None:
            self.on_dropped(turn)
        if turn.slot is not None:
            turn.slot.fail(MessageDropped(self.name, turn.message))

    def _admit(self) -> None:
        while self._senders and len(self._queue) < self.capacity:
            sender = next(iter(self._senders))
            del self._senders[sender]
            sender.is_admitted = True
            self._add(sender.turn)
            reschedule(sender.task)

    # The actor

    def wait(self) -> Awaitable[object]:
        """Wait until something may have come, or somebody calls `end_wait`; then call `come`.

        One task at a time may wait. A cancelled wait takes nothing, nor does one that ends.
        """
        assert self._reading is None, f"{self.name}: one reader at a time"
        self._reading = current_task()
        if self.on_rest is not None:
            self.on_rest()
        # The caller awaits it: one frame less for every actor at rest.
        return wait_task_rescheduled(self._stop_reading)  # noqa: ASYNC105

    def come(self) -> None:
        """Note that the reader is here: what is sent from now on looks at the clock."""
        self._coming_at = None

    async def pause(self) -> None:
        """Let the other tasks run, and a cancellation in; only for the task that reads."""
        self._coming_at = trio.current_time()
        try:
            await checkpoint()
        finally:
            self.come()

    def wake(self) -> None:
        """Let the task in `wait` look around."""
        reading, self._reading = self._reading, None
        if reading is not None:
            self._coming_at = trio.current_time()
            reschedule(reading)

    def end_wait(self) -> None:
        """Let the task in `wait` go on although nothing has come."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reschedule(reading)

    def take_many(self, size_max: int) -> list[Turn[M]]:
        """Take what has arrived, at most `size_max`; one that was cut off before comes alone.

        Something must have arrived.
        """
        queue = self._queue
        depth = len(queue)
        self._peak = max(self._peak, depth)
        if size_max == 1 or queue[0].attempt > 1:
            taken = [queue.popleft()]
        elif depth <= size_max:
            taken = list(queue)
            queue.clear()
        else:
            taken = [queue.popleft() for _ in range(size_max)]
        self._received += len(taken)
        if self._senders:
            self._admit()
        return taken

    def take_all(self) -> list[Turn[M]]:
        """Take everything, for whoever puts it aside."""
        taken = list(self._queue)
        self._peak = max(self._peak, len(taken))
        self._queue.clear()
        self._received += len(taken)
        return taken

    def give_back(self, turns: list[Turn[M]]) -> None:
        """Put what was taken but not handled in front of all others, in order."""
        self._received -= len(turns)
        self._queue.extendleft(reversed(turns))

    def _stop_reading(self, _: object) -> Abort:
        self._reading = None
        return Abort.SUCCEEDED

    # The owner's life

    @property
    def is_empty(self) -> bool:
        """Whether nothing is queued and nobody waits to queue something."""
        return not self._queue and not self._senders

    @property
    def is_read(self) -> bool:
        """Whether its reader waits for messages."""
        return self._reading is not None

    @property
    def received(self) -> int:
        """How many messages were taken."""
        return self._received

    @property
    def depth(self) -> int:
        """How many messages are queued."""
        return len(self._queue)

    def open(self) -> None:
        """Accept messages (again)."""
        self._capacity_open = self.capacity

    def close(self) -> None:
        """Refuse new messages and wake the waiting senders; what is queued can still be taken."""
        self._capacity_open = 0
        if self._senders:
            senders, self._senders = self._senders, None
            for sender in senders:
                reschedule(sender.task)

    def statistics(self) -> MailboxStatistics:
        """Return the counters as they are now."""
        senders = self._senders or {}
        sender = next(iter(senders), None)
        waiting = None if sender is None else sender.turn
        oldest = self._queue[0] if self._queue else waiting
        return MailboxStatistics(
            name=self.name,
            capacity=self.capacity,
            depth=self.depth,
            peak=max(self._peak, self.depth),
            sent=self._received + self._dropped + self.depth,
            received=self._received,
            refused=self._refused,
            oldest_age_s=0.0 if oldest is None else oldest.age_s,
            waiting_senders=len(senders),
            expired=self.expired,
            late_replies=self.late_replies,
            dropped=self._dropped,
        )
