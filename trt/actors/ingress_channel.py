"""The ingress channel: committed updates on their way to whoever holds its one receiver."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import trio
from attrs import frozen

from trt.storage.inbox import InboxRow


@frozen(kw_only=True)
class ChannelStatistics:
    """What `/health` shows of a channel."""

    name: str
    capacity: int
    depth: int
    peak: int
    sent: int
    received: int
    refused: int
    """Always 0: a full channel makes its sender wait; the posts behind it are refused."""
    oldest_age_s: float
    waiting_senders: int
    receiver: str | None


class IngressChannel:
    """A bounded channel whose receiver is lent to one holder at a time.

    The dispatcher holds it while this instance is active, the passive responder while it is not:
    that is the whole of passive mode. The channel itself is never closed, so that what waits in it
    survives the change of the holder.
    """

    def __init__(self, capacity: int, *, name: str = "ingress") -> None:
        self._name = name
        self._send, self._receive = trio.open_memory_channel[InboxRow](capacity)
        self._sent_at_s: deque[float] = deque(maxlen=capacity)
        """When each row that may still wait was sent; the channel is first in, first out."""
        self._sent = 0
        self._holder: str | None = None

    async def send(self, row: InboxRow) -> None:
        """Hand on one committed update; waits while the channel is full: that is backpressure."""
        try:
            self._send.send_nowait(row)
        except trio.WouldBlock:
            await self._send.send(row)
        self._sent_at_s.append(trio.current_time())
        self._sent += 1

    @contextmanager
    def receiver_for(self, holder: str) -> Iterator["trio.MemoryReceiveChannel[InboxRow]"]:
        """Lend the receiver to `holder` for the length of the block."""
        assert self._holder is None, f"{holder} wants the receiver that {self._holder} holds"
        self._holder = holder
        try:
            yield self._receive
        finally:
            self._holder = None

    def statistics(self) -> ChannelStatistics:
        """Describe the channel."""
        raw = self._send.statistics()
        depth = raw.current_buffer_used
        oldest_age_s = trio.current_time() - self._sent_at_s[-depth] if depth else 0.0
        return ChannelStatistics(
            name=self._name,
            capacity=int(raw.max_buffer_size),
            depth=depth,
            peak=raw.peak_buffer_used,
            sent=self._sent,
            received=self._sent - depth,
            refused=0,
            oldest_age_s=round(oldest_age_s, 3),
            waiting_senders=raw.tasks_waiting_send,
            receiver=self._holder,
        )
