"""`Mailbox`: a bounded trio memory channel that outlives the incarnations of its actor."""

from collections import deque
from typing import Any, Generic, TypeVar

import trio
from attrs import frozen
from typing_extensions import override

from trt.supervision.envelope import Envelope
from trt.supervision.errors import ActorStopped, MailboxFull
from trt.supervision.ref import Ref

M = TypeVar("M")


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


class Mailbox(Generic[M]):
    """A bounded queue of messages of type `M`, owned by one actor at a time.

    It is open from the start, so messages may arrive before the actor does. The final stop of the
    actor closes it; an actor that is started on it later opens it again.
    """

    def __init__(self, name: str, capacity: int) -> None:
        assert capacity >= 1, "a mailbox holds at least one message"
        self.name = name
        self.capacity = capacity
        self.ref: Ref[M] = Ref(self)
        self.expired = 0
        self.late_replies = 0
        self._returned: deque[Envelope[M]] = deque()
        # Every envelope that is queued or whose sender waits for room, in order of arrival.
        self._line: dict[Envelope[M], None] = {}
        self._peak = self._sent = self._received = self._refused = 0
        self._is_open = False
        self.open()

    @override
    def __repr__(self) -> str:
        return f"<Mailbox {self.name} {self.depth}/{self.capacity}>"

    # Senders

    def put_nowait(self, envelope: Envelope[Any]) -> None:
        """Queue `envelope` at once, or raise `MailboxFull` or `ActorStopped`."""
        if not self._offer(envelope):
            self._refused += 1
            raise MailboxFull(self.name, envelope.message)

    async def put(self, envelope: Envelope[Any]) -> None:
        """Queue `envelope`, waiting for room; raise `ActorStopped` when the mailbox closes."""
        if self._offer(envelope):
            return
        self._line[envelope] = None
        try:
            await self._sender.send(envelope)
        except trio.ClosedResourceError:
            self._line.pop(envelope)
            raise ActorStopped(self.name, envelope.message) from None
        except BaseException:
            self._line.pop(envelope)
            raise
        self._sent += 1

    def _offer(self, envelope: Envelope[M]) -> bool:
        if not self._is_open:
            raise ActorStopped(self.name, envelope.message)
        envelope.enqueued_at = trio.current_time()
        try:
            self._sender.send_nowait(envelope)
        except trio.WouldBlock:
            return False
        self._line[envelope] = None
        self._sent += 1
        self._peak = max(self._peak, self.depth)
        return True

    # The actor

    async def receive(self) -> Envelope[M]:
        """Wait for the next envelope; a cancelled wait takes nothing."""
        if self._returned:
            return self._returned.popleft()
        return self._taken(await self._receiver.receive())

    def receive_nowait(self) -> Envelope[M] | None:
        """Take the next envelope if there is one."""
        if self._returned:
            return self._returned.popleft()
        try:
            return self._taken(self._receiver.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return None

    def give_back(self, envelopes: list[Envelope[M]]) -> None:
        """Put envelopes that were taken but not handled in front of all others, in order."""
        self._returned.extendleft(reversed(envelopes))

    def _taken(self, envelope: Envelope[M]) -> Envelope[M]:
        del self._line[envelope]
        self._received += 1
        return envelope

    # The owner's life

    @property
    def is_empty(self) -> bool:
        """Whether nothing is queued and nobody waits to queue something."""
        return not self._returned and not self._line

    @property
    def depth(self) -> int:
        """How many messages are queued."""
        return len(self._returned) + self._receiver.statistics().current_buffer_used

    def open(self) -> None:
        """Accept messages (again)."""
        if not self._is_open:
            self._sender, self._receiver = trio.open_memory_channel[Envelope[M]](self.capacity)
            self._is_open = True

    def close(self) -> None:
        """Refuse new messages and wake the waiting senders; what is queued can still be taken."""
        self._is_open = False
        self._sender.close()

    def statistics(self) -> MailboxStatistics:
        """Return the counters as they are now."""
        oldest = self._returned[0] if self._returned else next(iter(self._line), None)
        age_s = trio.current_time() - oldest.enqueued_at if oldest is not None else 0.0
        return MailboxStatistics(
            name=self.name,
            capacity=self.capacity,
            depth=self.depth,
            peak=self._peak,
            sent=self._sent,
            received=self._received,
            refused=self._refused,
            oldest_age_s=age_s,
            waiting_senders=self._receiver.statistics().tasks_waiting_send,
            expired=self.expired,
            late_replies=self.late_replies,
        )
