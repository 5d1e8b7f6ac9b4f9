"""Posts as Telegram does through a balancer: in turn to both instances, again until a 200."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from itertools import count
from typing import Protocol

import trio
from attrs import define, field, frozen

from trt.bench.failover_updates import MadeUpdate, MadeUpdates
from trt.sources import Sources

RETRY_S = (0.0, 2.0, 4.0, 8.0)
"""Bot API server, WebhookActor: the first repetition comes at once, to the other instance here."""
RETRY_AFTER_S = 1.0
"""What our 503 asks for; Telegram does as it is told."""
ORDER_EVERY_S = 0.5


@frozen(kw_only=True)
class Target:
    """Where updates are posted to, on every instance."""

    ports: Sequence[int]
    """Of the instances, on this machine."""
    path: str


class Poster(Protocol):
    """What carries the posts."""

    async def post(self, port: int, path: str, body: bytes) -> int:
        """Post JSON and return the answer's status, 0 if there is none."""
        ...


@define(eq=False)
class Post:
    """One update on its way."""

    update: MadeUpdate
    acked_s: float | None = None
    """When its 200 came, in seconds since the epoch."""
    statuses: list[int] = field(factory=list)
    """What the instances answered; 0 is no answer."""


@define(eq=False)
class Traffic:
    """The load of one bench."""

    target: Target
    rate_per_s: float
    """Updates."""
    retry_s: Sequence[float]
    """The pauses before each repetition; the last one is repeated."""
    sources: Sources
    balancer: Poster
    posts: list[Post] = field(factory=list)
    """Everything posted so far."""
    _updates: MadeUpdates = field(factory=MadeUpdates)
    _turns: "count[int]" = field(factory=count)

    async def run(
        self, stop: trio.Event, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Post at the rate until `stop`; return when everything was acknowledged."""
        async with trio.open_nursery() as nursery:
            task_status.started()
            began_s = trio.current_time()
            order_every = max(1, round(self.rate_per_s * ORDER_EVERY_S))
            for number in count():
                with trio.move_on_at(began_s + number / self.rate_per_s):
                    await stop.wait()
                if stop.is_set():
                    break
                if number % order_every == order_every // 2:
                    nursery.start_soon(self._post_all, self._updates.order())
                else:
                    nursery.start_soon(self._post, self._updates.next())

    async def call_back(self, path: str, body: bytes) -> None:
        """Post KIE's callback until somebody takes it."""
        await self._deliver(path, body, [])

    async def _post_all(self, updates: Iterator[MadeUpdate]) -> None:
        """Post the updates of one chat: the next when the last was taken (Bot API server)."""
        for update in updates:
            await self._post(update)

    async def _post(self, update: MadeUpdate) -> None:
        post = Post(update)
        self.posts.append(post)
        await self._deliver(self.target.path, update.body, post.statuses)
        post.acked_s = self.sources.now().timestamp()

    async def _deliver(self, path: str, body: bytes, statuses: list[int]) -> None:
        ports = self.target.ports
        for turn in count(next(self._turns)):
            statuses.append(await self.balancer.post(ports[turn % len(ports)], path, body))
            if statuses[-1] == HTTPStatus.OK:
                return
            pause_s = self.retry_s[min(len(statuses), len(self.retry_s)) - 1]
            if pause_s and statuses[-1] == HTTPStatus.SERVICE_UNAVAILABLE:
                pause_s = RETRY_AFTER_S
            await trio.sleep(pause_s)
