"""What went over the pretended wires: a bounded list that a page can follow."""

from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum

import trio
from attrs import frozen

from trt.sandbox.broadcast import Broadcast


class Service(StrEnum):
    """Whose wire it is."""

    TELEGRAM = "telegram"
    KIE = "kie"


class Direction(StrEnum):
    """Seen from the bot."""

    FROM_BOT = "from_bot"
    TO_BOT = "to_bot"


@frozen(kw_only=True)
class WireEntry:
    """One request and how it ended; holds no token, key, prompt or message text."""

    number: int
    """Counts from 1, so that a reader can say which it has seen."""
    at: datetime
    """When the request began."""
    direction: Direction
    service: Service
    what: str
    """The Bot API method, the KIE endpoint, or the kind of what was delivered to the bot."""
    status: int | None
    """HTTP status; None when the connection was cut or timed out."""
    duration_s: float
    summary: str


class WireLog:
    """Keeps the newest `entries_max` entries and tells subscribers of each new one."""

    def __init__(self, *, entries_max: int = 1_000) -> None:
        self._entries: deque[WireEntry] = deque(maxlen=entries_max)
        self._news: Broadcast[WireEntry] = Broadcast()
        self._count = 0

    @property
    def entries(self) -> Sequence[WireEntry]:
        """Oldest first."""
        return tuple(self._entries)

    def record(
        self,
        *,
        at: datetime,
        direction: Direction,
        service: Service,
        what: str,
        status: int | None,
        duration_s: float,
        summary: str = "",
    ) -> None:
        """Append one entry; the caller keeps secrets out of `what` and `summary`."""
        self._count += 1
        entry = WireEntry(
            number=self._count,
            at=at,
            direction=direction,
            service=service,
            what=what,
            status=status,
            duration_s=duration_s,
            summary=summary,
        )
        self._entries.append(entry)
        self._news.publish(entry)

    def subscribe(self) -> AbstractContextManager[trio.MemoryReceiveChannel[WireEntry]]:
        """Return a context that yields a channel of every entry recorded from now on."""
        return self._news.subscribe()
