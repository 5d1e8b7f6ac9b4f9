"""`Places`: who of a directory's actors may run, who waits for a place and who makes room."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Generic, TypeVar

from trt.supervision.bedtime import Bedtime
from trt.supervision.entry import Entry, WhenFull

K = TypeVar("K")
M = TypeVar("M")


class Places(Generic[K, M]):
    """At most `live_max` run at once; those that have no place yet wait in line."""

    def __init__(
        self,
        entries: Mapping[K, Entry[K, M]],
        live_max: int,
        when_full: WhenFull,
        bedtime: Bedtime[K, M],
    ) -> None:
        self._entries = entries
        self._live_max = live_max
        self._when_full = when_full
        self._bedtime = bedtime
        # Ordered dicts, because the first of many is taken again and again.
        self._in_line: OrderedDict[K, Entry[K, M]] = OrderedDict()
        # By how long they have been idle, the longest first. Some got new work meanwhile.
        self._resting: OrderedDict[Entry[K, M], None] = OrderedDict()

    @property
    def has_line(self) -> bool:
        """Whether somebody waits for a place."""
        return bool(self._in_line)

    def has_one_for(self, entry: Entry[K, M]) -> bool:
        """Return whether `entry`, which is among the entries, may run; if not, it is in line."""
        if len(self._entries) - len(self._in_line) > self._live_max:
            self._in_line[entry.key] = entry
            return False
        return True

    def wait_again(self, entry: Entry[K, M]) -> None:
        """Put `entry`, whose place is promised to another, in line."""
        self._in_line[entry.key] = entry

    def taken(self) -> Iterator[Entry[K, M]]:
        """Give the free places to those that wait for one, in order."""
        while self._in_line and len(self._entries) - len(self._in_line) < self._live_max:
            _, entry = self._in_line.popitem(last=False)
            yield entry

    # Making room

    def watch(self, entry: Entry[K, M]) -> None:
        """Keep an eye on an actor that begins: it may have to make room."""
        if self._when_full is WhenFull.EVICT_IDLE:
            entry.mailbox.on_rest = partial(self._put_last, entry)

    def forget(self, entry: Entry[K, M]) -> None:
        """Forget an actor that has left."""
        self._resting.pop(entry, None)

    def _put_last(self, entry: Entry[K, M]) -> None:
        self._resting[entry] = None
        self._resting.move_to_end(entry)

    def evict_one(self) -> bool:
        """Ask the actor that has been idle for longest to leave; return whether there is one."""
        while self._resting:
            entry, _ = self._resting.popitem(last=False)
            if entry.is_idle:
                self._bedtime.send([entry])
                return True
            # Whoever has work comes to the end of the line when it rests again.
        return False

    def make_room(self) -> None:
        """See to it that as many leave as wait for a place."""
        for _ in range(len(self._in_line) - self._bedtime.leaving):
            if not self.evict_one():
                return
