"""`Entry`: one key of a directory and its actor."""

from enum import Enum, auto
from typing import Generic, TypeVar

import trio
from attrs import define

from trt.supervision.cell import Cell
from trt.supervision.mailbox import Mailbox
from trt.supervision.restart import RestartWindow

K = TypeVar("K")
M = TypeVar("M")


class WhenFull(Enum):
    """What becomes of a new key when as many actors run as may."""

    REFUSE = auto()  # its sender gets `DirectoryFull`
    EVICT_IDLE = auto()  # the actor that has been idle for longest makes room; if none, as above


@define(eq=False)
class Entry(Generic[K, M]):
    """One key and its actor."""

    key: K
    cell: Cell
    mailbox: Mailbox[M]
    window: RestartWindow
    news: "trio.MemorySendChannel[tuple[Entry[K, M], int] | None]"
    """Where the directory hears of the ends of its incarnations."""
    received_before: int = 0
    """How many messages its earlier incarnations had taken."""
    has_left_unread: bool = False
    """Whether its last incarnation finished without taking any of the messages that waited."""
    is_falling_asleep: bool = False

    def tell_end(self) -> None:
        """Let the directory know that an incarnation has ended."""
        self.news.send_nowait((self, self.cell.incarnation))

    @property
    def idle_since(self) -> float | None:
        """Since when the actor has had nothing to do (trio time); None if it has, or leaves."""
        mailbox = self.mailbox
        if mailbox.idle_since is None or self.is_falling_asleep or self.cell.has_ended:
            return None
        return mailbox.idle_since if mailbox.is_empty else None
