"""A pretended KIE: tasks over ASGI, callbacks, and real files as results."""

from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import assert_never
from urllib.parse import parse_qs

import httpx
import msgspec
import trio
from attrs import define

from trt.sandbox.faults import Call, CallHook, Faults, gateway_page
from trt.sandbox.http import ASGIApp, ConnectionCut, Reply, Request, asgi
from trt.sandbox.kie_callbacks import CallbackSender
from trt.sandbox.kie_envelope import Declined, envelope
from trt.sandbox.kie_files import FileStore
from trt.sandbox.kie_limits import Window, creates, polls, too_often
from trt.sandbox.kie_models import FakeModel, checked_model
from trt.sandbox.kie_script import (
    OFF,
    Callbacks,
    Fail,
    KIEOptions,
    Never,
    Refuse,
    Script,
    Succeed,
)
from trt.sandbox.kie_task import Ending, FakeTask, record
from trt.sandbox.wire_log import Direction, Service, WireLog
from trt.sources import Sources

CALLS_MAX = 10_000
_GENERATING_AFTER_S = 1.0
_ENDPOINTS = {
    "/api/v1/jobs/createTask": ("POST", "createTask"),
    "/api/v1/jobs/recordInfo": ("GET", "recordInfo"),
    "/api/v1/chat/credit": ("GET", "credit"),
    "/api/v1/common/download-url": ("POST", "download-url"),
    "/api/file-stream-upload": ("POST", "stream-upload"),
    "/api/file-base64-upload": ("POST", "base64-upload"),
    "/api/file-url-upload": ("POST", "url-upload"),
}
_FILES = "results"
"""The name of every call for a file, which needs no key."""


@define
class _Scripted:
    script: Script
    model: str | None


class FakeKIE:
    """Obeys scripts, else its options; deterministic by its sources.

    Args:
        sources: where time, chance and ids come from.
        key: the API key that calls must bear.
        http: reaches the bot's callback address.
        base_url: where `app` is served; result addresses begin with it.
        options: how it behaves.
        wire: where requests are noted, without secrets and prompts.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        key: str,
        http: httpx.AsyncClient,
        base_url: str,
        options: KIEOptions | None = None,
        wire: WireLog | None = None,
    ) -> None:
        self.options = options or KIEOptions()
        self.app: ASGIApp = asgi(self._handle)
        """The API, the file service (`/api/file-…-upload`), and the files themselves."""
        self.tasks: list[FakeTask] = []
        """Every task made, oldest first."""
        self.credits = self.options.credits
        """What the account has left, reservations taken off."""
        self.faults = Faults()
        """Methods: createTask, recordInfo, credit, download-url, stream-upload, results, …"""
        self.paused_models = set(self.options.paused_models)
        """Models whose createTask is refused as paused; may change at any time."""
        self.files = FileStore(
            sources=sources,
            http=http,
            base_url=base_url.rstrip("/"),
            uploads_kept_s=self.options.uploads_kept_s,
            results_kept_s=self.options.results_kept_s,
        )
        """Uploads and results."""
        self.calls: deque[Call] = deque(maxlen=CALLS_MAX)
        self.before_call: CallHook | None = None
        """Awaited before a call is executed."""
        self.after_call: CallHook | None = None
        """Awaited after a call was executed, before its answer goes out."""
        self._sources = sources
        self._key = key
        self._wire = wire
        self._sender = CallbackSender(sources=sources, http=http, options=self.options, wire=wire)
        self._scripts: list[_Scripted] = []
        self._nursery: trio.Nursery | None = None
        self._creates = creates()
        self._polls: dict[str, Window] = {}
        self._by_id: dict[str, FakeTask] = {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Let tasks go on and callbacks go out, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                for task in self.tasks:
                    if task.is_running:
                        nursery.start_soon(self._live, task)
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def script(self, script: Script, *, model: str | None = None, times: int = 1) -> None:
        """Let the next `times` tasks (of `model` only, if given) go as scripted."""
        self._scripts.extend(_Scripted(script, model) for _ in range(times))

    def task(self, task_id: str) -> FakeTask:
        """Return a task by its id."""
        return self._by_id[task_id]

    # The life of a task

    async def _live(self, task: FakeTask) -> None:
        if isinstance(task.ending, Never):
            return
        ends = task.created + task.duration_s
        if task.model.is_video and task.duration_s > _GENERATING_AFTER_S:
            await trio.sleep_until(task.created + _GENERATING_AFTER_S)
            task.state = "generating"
        await trio.sleep_until(ends)
        self._end(task)
        await trio.sleep(task.callbacks.delay_s)
        await self._sender.send(task, remaining=self.credits)

    def _end(self, task: FakeTask) -> None:
        task.completed_at = self._sources.now()
        match task.ending:
            case Succeed(files=files):
                task.state = "success"
                task.file_urls = self.files.add_results(task, files, _suffix(task))
            case Fail():
                task.state = "fail"
                self.credits += task.credits
                task.credits = 0.0
            case Never():
                raise AssertionError("a task that never ends has ended")
            case _:
                assert_never(task.ending)

    # HTTP

    async def _handle(self, request: Request) -> Reply:
        began_at, began = self._sources.now(), trio.current_time()
        method, name = _ENDPOINTS.get(request.path, ("GET", _FILES))
        status: int | None = None
        summary = ""
        try:
            reply = await self._answer(name, method, request)
            status = reply.status
        except Declined as declined:
            reply = envelope(declined.code, declined.msg)
            status, summary = declined.code, declined.msg
        finally:
            if self._wire is not None:
                self._wire.record(
                    at=began_at,
                    direction=Direction.FROM_BOT,
                    service=Service.KIE,
                    what=name,
                    status=status,
                    duration_s=trio.current_time() - began,
                    summary=summary,
                )
        return reply

    async def _answer(self, name: str, method: str, request: Request) -> Reply:
        if request.method != method:
            return gateway_page(404)
        if name != _FILES and request.headers.get("authorization") != f"Bearer {self._key}":
            raise Declined(401, "Unauthorized – Authentication failed")
        call = Call(name=name)
        self.calls.append(call)
        if self.before_call is not None:
            await self.before_call(call)
        return await self.faults.carry_out(
            call, partial(self._executed, call, request), too_many=lambda _: too_often()
        )

    async def _executed(self, call: Call, request: Request) -> Reply:
        try:
            return await self._execute(call.name, request)
        finally:
            if self.after_call is not None:
                await self.after_call(call)  # noqa: ASYNC102 - a cancelled call tells nobody

    async def _execute(self, name: str, request: Request) -> Reply:
        match name:
            case "createTask":
                return await self._create(request)
            case "recordInfo":
                return self._record(request)
            case "credit":
                return envelope(200, "success", self.credits)
            case "download-url":
                return self.files.link(request.body)
            case "stream-upload" | "base64-upload" | "url-upload":
                return await self.files.upload(name.removesuffix("-upload"), request)
            case _:
                return await self.files.serve(request.path)

    async def _create(self, request: Request) -> Reply:
        if self.options.is_rate_limited:
            self._creates.count()
        try:
            body = msgspec.json.decode(request.body, type=dict[str, object])
        except msgspec.DecodeError:
            raise Declined(500, "Server exception, please try again later") from None
        model = checked_model(body.get("model"), body.get("input"))
        if model.model_id in self.paused_models:
            raise Declined(500, "This interface is temporarily paused.")
        if any(self.files.is_missing(text) for text in _texts(body["input"])):
            raise Declined(500, "Server exception, please try again later")
        script = self._take_script(model.model_id)
        if isinstance(script, Refuse):
            raise Declined(script.code, script.msg)
        task = self._new_task(model, body, script)
        if task.callbacks.is_before_answer and not isinstance(task.ending, Never):
            self._end(task)
            await self._sender.send(task, remaining=self.credits)
        elif self._nursery is not None:
            self._nursery.start_soon(self._live, task)
        if self._happens(self.options.answer_loss):
            await trio.sleep(self.options.answer_lost_after_s)
            raise ConnectionCut
        return envelope(200, "success", {"taskId": task.task_id, "recordId": task.task_id})

    def _new_task(self, model: FakeModel, body: dict[str, object], ending: Ending) -> FakeTask:
        given = body["input"]
        assert isinstance(given, dict), "checked before"
        url = body.get("callBackUrl")
        price = model.credits(given)
        if price > self.credits:
            code = self.options.credits_code
            raise Declined(code, "Insufficient Credits" if code == 402 else "Credits insufficient")  # noqa: PLR2004
        self.credits -= price
        after_s = None if isinstance(ending, Never) else ending.after_s
        scripted = OFF if isinstance(ending, Never) else ending.callbacks
        task = FakeTask(
            task_id=self._sources.token(32),
            model=model,
            given=given,
            callback_url=url if isinstance(url, str) and url else None,
            created_at=self._sources.now(),
            created=trio.current_time(),
            duration_s=self._duration_s(model) if after_s is None else after_s,
            ending=ending,
            callbacks=self._callbacks() if scripted is None else scripted,
            credits=price,
        )
        self.tasks.append(task)
        self._by_id[task.task_id] = task
        return task

    def _record(self, request: Request) -> Reply:
        task_id = parse_qs(request.query).get("taskId", [""])[0]
        if not task_id:
            raise Declined(400, "taskId parameter is required")
        task = self._by_id.get(task_id)
        now = trio.current_time()
        if task is None or now - task.created < self.options.visible_after_s:
            raise Declined(422, "recordInfo is null")
        if self.options.is_rate_limited:
            self._polls.setdefault(task_id, polls()).count()
        task.polls += 1
        return envelope(200, "success", record(task, shape=self.options.shape))

    # Chance and scripts

    def _take_script(self, model_id: str) -> Script:
        for scripted in self._scripts:
            if scripted.model in {None, model_id}:
                self._scripts.remove(scripted)
                return scripted.script
        return Succeed()

    def _duration_s(self, model: FakeModel) -> float:
        options = self.options
        factor = self._sources.random().uniform(1 - options.jitter, 1 + options.jitter)
        return options.duration_s * factor * (options.video_factor if model.is_video else 1)

    def _callbacks(self) -> Callbacks:
        options = self.options
        drawn = self._sources.random().random()
        is_twice = drawn < options.callback_loss + options.callback_duplicates
        copies = 0 if drawn < options.callback_loss else 2 if is_twice else 1
        delay_s = options.callback_delay_s
        if self._happens(options.callback_reorder):
            delay_s += self._sources.random().uniform(0, options.callback_reorder_s)
        is_early = options.callback_before_response or self._happens(options.callback_early)
        return Callbacks(copies=copies, delay_s=delay_s, is_before_answer=is_early)

    def _happens(self, rate: float) -> bool:
        """Draw, but only if it can happen at all: a seed's story stays the same without it."""
        return rate > 0 and self._sources.random().random() < rate


def _texts(value: object) -> Iterator[str]:
    """Yield the strings of an input, which is a flat object with lists at most."""
    assert isinstance(value, dict), "checked before"
    for item in value.values():
        yield from (
            one for one in (item if isinstance(item, list) else [item]) if isinstance(one, str)
        )


def _suffix(task: FakeTask) -> str:
    return "mp4" if task.model.is_video else str(task.given.get("output_format", "png"))
