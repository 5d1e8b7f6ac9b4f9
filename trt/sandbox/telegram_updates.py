"""Updates on their way to the bot: queues, life spans, long polling."""

from collections import deque
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import trio
from attrs import Factory, define, field

from trt.sandbox.telegram_refusal import Refused

_DAY_S = 24 * 60 * 60.0
_SHORT_LIVED_S = 150.0
_SHORT_LIVED = frozenset({"callback_query", "pre_checkout_query", "shipping_query"})
_NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})

LONG_POLL_S_MAX = 50
GET_LIMIT_MAX = 100
HISTORY_MAX = 100_000


def lifetime_s(kind: str) -> float:
    """Return how long Telegram keeps trying to deliver an update of this kind."""
    return _SHORT_LIVED_S if kind in _SHORT_LIVED else _DAY_S


@define(kw_only=True, eq=False)
class PostedUpdate:
    """One update and what became of it."""

    update_id: int
    kind: str
    queue: str
    """Updates of one queue are delivered one after the other."""
    body: dict[str, Any] = field(repr=False)
    expires_at: datetime
    attempts: list[int | None] = Factory(list)
    """What each delivery was answered with: an HTTP status, None for no answer."""
    failures: int = 0
    """Since it was put into its queue."""
    delivered_at: datetime | None = None
    dropped_at: datetime | None = None


@define
class Updates:
    """Everything posted; what is not yet delivered waits in queues."""

    last_id: int
    allowed: Collection[str] | None = None
    """Kinds the bot asked for; None: all but the three that must be asked for."""
    history: dict[int, PostedUpdate] = Factory(dict)
    queues: dict[str, deque[PostedUpdate]] = Factory(dict)

    def post(self, kind: str, queue: str, content: dict[str, Any], now: datetime) -> PostedUpdate:
        """Make an update of `content` and put it at the end of its queue.

        A kind the bot did not ask for gets an id and is never delivered.
        """
        self.last_id += 1
        update = PostedUpdate(
            update_id=self.last_id,
            kind=kind,
            queue=queue,
            body={"update_id": self.last_id, kind: content},
            expires_at=now + timedelta(seconds=lifetime_s(kind)),
        )
        self.history[update.update_id] = update
        if len(self.history) > HISTORY_MAX:
            del self.history[next(iter(self.history))]
        if self._is_allowed(kind):
            self.queue_again(update)
        else:
            update.dropped_at = now
        return update

    def queue_again(self, update: PostedUpdate) -> None:
        """Put an update at the end of its queue, under the id it has, unless it waits there."""
        update.failures = 0
        if not self.is_waiting(update):
            self.queues.setdefault(update.queue, deque()).append(update)

    def is_waiting(self, update: PostedUpdate) -> bool:
        """Return whether the update is still to be delivered."""
        return update in self.queues.get(update.queue, ())

    def head(self, queue: str, now: datetime) -> PostedUpdate | None:
        """Return the update whose turn it is, after dropping those that waited too long."""
        while waiting := self.queues.get(queue):
            if waiting[0].expires_at > now:
                return waiting[0]
            self.drop(waiting[0], now)
        return None

    def confirm(self, update: PostedUpdate, now: datetime) -> None:
        """Take a delivered update out of its queue."""
        update.delivered_at = now
        self._remove(update)

    def drop(self, update: PostedUpdate, now: datetime) -> None:
        """Take an update that will not be delivered out of its queue."""
        update.dropped_at = now
        self._remove(update)

    def drop_all(self, now: datetime) -> None:
        """Drop everything that waits."""
        for update in self.pending():
            self.drop(update, now)

    def pending(self) -> Sequence[PostedUpdate]:
        """Return what waits, by update_id."""
        waiting = [update for queue in self.queues.values() for update in queue]
        return sorted(waiting, key=lambda update: update.update_id)

    def _is_allowed(self, kind: str) -> bool:
        return kind not in _NOT_BY_DEFAULT if self.allowed is None else kind in self.allowed

    def _remove(self, update: PostedUpdate) -> None:
        queue = self.queues[update.queue]
        queue.remove(update)
        if not queue:
            del self.queues[update.queue]


class Polling:
    """Answers getUpdates, one caller at a time."""

    def __init__(self, updates: Updates) -> None:
        self._updates = updates
        self._news = trio.Event()
        self._current: trio.CancelScope | None = None
        self._refusal = ""

    def wake(self) -> None:
        """Let a waiting getUpdates look again."""
        self._news.set()
        self._news = trio.Event()

    def terminate(self, by: str) -> None:
        """End the getUpdates that is under way with 409: another call took over."""
        if self._current is not None:
            self._refusal = f"Conflict: terminated by {by}"
            self._current.cancel()

    async def get(
        self, *, offset: int, limit: int, timeout_s: float, now: datetime
    ) -> list[dict[str, Any]]:
        """Confirm what is below `offset`, then return up to `limit` updates, waiting for the first.

        Raises:
            Refused: 409 when another getUpdates or a setWebhook took over.
        """
        self.terminate("other getUpdates request; make sure that only one bot instance is running")
        self._confirm_below(offset, now)
        scope = trio.CancelScope()
        self._current = scope
        with scope, trio.move_on_after(min(timeout_s, LONG_POLL_S_MAX)):
            while not self._updates.pending():
                await self._news.wait()
        if scope.cancelled_caught:
            raise Refused(409, self._refusal)
        if self._current is scope:
            self._current = None
        return [update.body for update in self._updates.pending()[:limit]]

    def _confirm_below(self, offset: int, now: datetime) -> None:
        pending = self._updates.pending()
        if offset < 0:
            # A negative offset counts from the end and forgets what is before it.
            confirmed = pending[:offset]
        else:
            confirmed = [update for update in pending if update.update_id < offset]
        for update in confirmed:
            self._updates.confirm(update, now)
