"""`Keeper`: one incarnation of a directory at work."""

import math
from typing import Generic, TypeVar

import trio

from trt.supervision import events
from trt.supervision.bedtime import Bedtime
from trt.supervision.context import Context
from trt.supervision.entry import Entry, Terms
from trt.supervision.errors import RestartLimitExceeded
from trt.supervision.places import Places
from trt.supervision.restart import RestartWindow

K = TypeVar("K")
M = TypeVar("M")

# How soon a key that waits for a place looks again for an idle actor, when one got new work.
LOOK_AGAIN_S = 0.05


class Keeper(Generic[K, M]):
    """Starts the actors of the keys, decides what follows on their ends, lets the idle leave."""

    def __init__(
        self,
        entries: dict[K, Entry[K, M]],
        terms: Terms[K, M],
        ctx: Context[object],
        nursery: trio.Nursery,
    ) -> None:
        self._entries = entries
        self._terms = terms
        self._ctx = ctx
        self._nursery = nursery
        self._bedtime: Bedtime[K, M] = Bedtime(terms.idle_after_s, nursery)
        self._places = Places(entries, terms.live_max, terms.when_full, self._bedtime)
        self._backing_off: dict[K, Entry[K, M]] = {}
        self._on_end = self._hear_end  # one bound method for all
        # None: somebody waits for a place.
        self._news_in, self._news = trio.open_memory_channel[Entry[K, M] | None](math.inf)
        for entry in entries.values():
            entry.is_falling_asleep = False  # whatever it was about to do under another keeper
            entry.cell.place(ctx.path, ctx.emit)
            self.admit(entry)

    def admit(self, entry: Entry[K, M]) -> None:
        """Start the actor of `entry`, now or when there is a place for it."""
        if self._places.has_one_for(entry):
            self._start(entry)
        else:
            self._news_in.send_nowait(None)

    def makes_room(self) -> bool:
        """Return whether an idle actor was found that leaves for another key."""
        return self._places.evict_one()

    def end(self) -> None:
        """Send nobody away any more: all are being stopped."""
        self._bedtime.end()

    async def keep(self) -> Exception | None:
        """Keep the actors running until a stop is requested; return why it gave up, if it did."""
        ctx = self._ctx
        while not ctx.is_stopping:
            news: Entry[K, M] | None = None
            with ctx.stop.interrupts(self._next_look_at()):
                news = await self._news.receive()
            while news is not None and not ctx.is_stopping:
                failure = self._judge(news)
                if failure is not None:
                    return failure
                news = self._more_news()
            if not ctx.is_stopping:
                self._start_due()
                self._places.make_room()
                self._bedtime.sweep(self._entries.values())
        return None

    def _next_look_at(self) -> float:
        look_again_at = trio.current_time() + LOOK_AGAIN_S if self._places.has_line else math.inf
        due_at = min((e.cell.due_at or 0.0 for e in self._backing_off.values()), default=math.inf)
        return min(due_at, look_again_at, self._bedtime.next_sweep_at)

    def _more_news(self) -> Entry[K, M] | None:
        try:
            return self._news.receive_nowait()
        except trio.WouldBlock:
            return None

    def _start(self, entry: Entry[K, M]) -> None:
        self._places.watch(entry)
        entry.begin()
        cell = entry.cell
        self._nursery.start_soon(cell.live, self._on_end, entry, name=cell.path)

    def _start_due(self) -> None:
        now = trio.current_time()
        for key, entry in list(self._backing_off.items()):
            if entry.cell.due_at is None or entry.cell.due_at <= now:
                del self._backing_off[key]
                self._start(entry)

    # Ends

    def _hear_end(self, entry: Entry[K, M]) -> None:
        if not self._ctx.stop.is_requested:  # then nothing follows
            self._news_in.send_nowait(entry)

    def _judge(self, entry: Entry[K, M]) -> Exception | None:
        """Decide what follows on the end of an incarnation; return why the directory gives up."""
        cell = entry.cell
        assert cell.has_ended, "one incarnation at a time"
        fell_asleep = self._bedtime.wake(entry)
        if cell.error is not None:
            if entry.window is self._terms.no_restarts:
                entry.window = RestartWindow(self._terms.budget)
            if not entry.window.record(trio.current_time()):
                return self._give_up(entry, cell.error)
            cell.back_off(self._terms.backoff, self._terms.chance, entry.window)
            self._backing_off[entry.key] = entry
            return None
        if entry.mailbox.is_empty:
            self._remove(entry, "stopped")
            return None
        if fell_asleep and self._places.has_line:
            # New work came while it left: its place is promised, so it gets in line for another.
            self._places.wait_again(entry)
            self._fill_places()
            return None
        has_read = entry.mailbox.received > entry.received_before
        if fell_asleep or has_read or not entry.has_left_unread:
            entry.has_left_unread = not (fell_asleep or has_read)
            self._start(entry)
        else:
            # It would finish without reading for ever, as fast as the machine can.
            self._remove(entry, "unread")
        return None

    def _remove(self, entry: Entry[K, M], reason: str) -> None:
        del self._entries[entry.key]
        self._places.forget(entry)
        entry.cell.retire(reason)
        self._fill_places()

    def _fill_places(self) -> None:
        for entry in self._places.taken():
            self._start(entry)

    def _give_up(self, entry: Entry[K, M], cause: Exception) -> Exception | None:
        path, budget = entry.cell.path, self._terms.budget
        entry.cell.emit(
            events.GaveUp(
                path=path, child=path, restarts_max=budget.restarts, within_s=budget.within_s
            )
        )
        error = RestartLimitExceeded(path, budget.restarts, budget.within_s)
        error.__cause__ = cause
        on_given_up = self._terms.on_given_up
        if on_given_up is None:
            return error
        self._remove(entry, "stopped")
        try:
            on_given_up(entry.key, error)
        except Exception as hook_error:  # noqa: BLE001 - one key's hook must not stop the others
            entry.cell.emit(events.Crashed(path=path, error=hook_error))
        return None
