"""What the stories about many jobs share: orders that come all at once, and what KIE got."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import trio

from trt.actors.job_board import JobBoard
from trt.actors.settlement import Clerk
from trt.domain.ids import ChatId, Cid, DraftId, JobId, ModelId, UserId
from trt.domain.job import Job
from trt.domain.shard import shard_of
from trt.sandbox.faults import Call
from trt.sandbox.http import ASGIApp, Receive, Scope, Send
from trt.sandbox.telegram_user import FakeUser
from trt.storage.database import Transaction
from trt.testing.world import World

MODEL = ModelId("z-image")
SWEEP_S = 11.0
"""By then the job keeper has found what was put into the database behind its back."""


async def has_accounts(users: Sequence[FakeUser]) -> None:
    """Let people say hello, so that they have their welcome balance."""
    for user in users:
        user.send("/start")
    for user in users:
        await user.wait_message("Что создаём?")


async def order_at_once(w: World, users: Sequence[FakeUser]) -> list[JobId]:
    """Put one order for each entry of `users` into the database, in this order, in one moment.

    The prompt of each order is its user's id. The job keeper finds them within `SWEEP_S`.
    """
    parts = w.bot.app.parts
    card = parts.shop.catalogue.models[MODEL]
    now = w.sources.now()
    made: list[JobId] = []
    for number, user in enumerate(users):
        params = {"prompt": str(user.user_id), "aspect_ratio": "1:1"}
        price = card.quote(params)
        job = Job(
            job_id=JobId(w.sources.token(32)),
            user_id=UserId(user.user_id),
            chat_id=ChatId(user.user_id),
            draft_id=DraftId(f"{number:08x}"),
            model_id=MODEL,
            params=params,
            price_kopecks=price.price_kopecks,
            language="ru",
            cid=Cid(f"{number:08x}"),
            created_at=now + timedelta(microseconds=number),
            deadline_at=now + timedelta(seconds=card.deadline_s),
            credits_expected=price.price_credits,
        )
        clerk = Clerk(
            catalogue=parts.shop.catalogue,
            copies=parts.shop.copies,
            board=JobBoard(),
            epoch=1,
            shard=shard_of(job.user_id, w.config.shards),
        )
        await w.db.transact(partial(_start, clerk=clerk, job=job))
        made.append(job.job_id)
    return made


def _start(tx: Transaction, *, clerk: Clerk, job: Job) -> None:
    clerk.started(tx, job, job.created_at)


def submitted(w: World) -> list[int]:
    """Return whose orders KIE got, in order: their prompts are user ids."""
    return [int(str(task.given["prompt"])) for task in w.kie.tasks]


async def called(w: World, at_least: int) -> None:
    """Wait until KIE has so many orders."""
    enough = trio.Event()

    async def look(_call: Call) -> None:
        if len(w.kie.tasks) >= at_least:
            enough.set()

    w.kie.after_call = look
    with trio.fail_after(60):
        await enough.wait()
    w.kie.after_call = None


def most_within(times_s: Sequence[float], window_s: float) -> int:
    """Return how many of some moments at most lie within any stretch of so many seconds."""
    in_order = sorted(times_s)
    return max(
        sum(begin <= each < begin + window_s for each in in_order) for begin in [0.0, *in_order]
    )


def serve_results(w: World, data: bytes, content_type: str) -> None:
    """Let every result that KIE serves from now on be these bytes."""
    real = w.network.apps["kie.test"]
    w.network.apps["kie.test"] = _Results(real, data, content_type)


def note_fetches(w: World) -> list[tuple[float, str]]:
    """Return a list that fills with when and from where the bytes of results are fetched."""
    real = w.network.apps["kie.test"]
    fetches: list[tuple[float, str]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if any(scope["path"] == urlsplit(url).path for t in w.kie.tasks for url in t.file_urls):
            fetches.append((trio.current_time(), scope["path"]))
        await real(scope, receive, send)

    w.network.apps["kie.test"] = app
    return fetches


def lose_file(w: World, number: int) -> None:
    """Let nothing be behind the address of one of the only task's files, counted from 0."""
    real = w.network.apps["kie.test"]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        urls = [url for task in w.kie.tasks for url in task.file_urls]
        if urls and scope["path"] == urlsplit(urls[number]).path:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await real(scope, receive, send)

    w.network.apps["kie.test"] = app


class _Results:
    """Answers for files itself, and hands everything else on."""

    def __init__(self, real: ASGIApp, data: bytes, content_type: str) -> None:
        self._real, self._data, self._content_type = real, data, content_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/api/"):
            await self._real(scope, receive, send)
            return
        headers = [(b"content-type", self._content_type.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._data})
