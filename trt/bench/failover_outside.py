"""What is outside of `trt bench failover`: a Telegram that notes when, a KIE that is quick."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Any

import msgspec
import trio
from attrs import define, field, frozen

from trt.bench.instant_telegram import RECEIVE_BYTES, request_size
from trt.sources import Sources

GENERATION_S = 0.1
"""How long a generation takes; the callback comes right after."""
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
    "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
)
"""The smallest picture there is."""


@frozen
class BotCall:
    """A call of the Bot API as it arrived."""

    method: str
    at_s: float
    """Seconds since the epoch."""


@frozen(kw_only=True)
class _Request:
    method: str
    path: str
    body: bytes


@define(eq=False)
class Outside:
    """Telegram and KIE on one port; both say yes, and everything is noted."""

    sources: Sources
    call_back: Callable[[str, bytes], Awaitable[None]]
    """Posts a body to a path of the bot until somebody takes it; KIE's callbacks."""
    base_url: str = ""
    """Where it is reached, without a slash at the end; known once it serves."""
    calls: list[BotCall] = field(factory=list)
    """Of the Bot API, oldest first."""
    answered_s: dict[str, float] = field(factory=dict)
    """When the answer to each tap arrived first, by callback query id."""
    tasks: dict[str, float] = field(factory=dict)
    """When each generation was ordered, by KIE's task id."""
    _message_ids: "count[int]" = field(factory=lambda: count(1))

    async def serve(
        self,
        listener: trio.SocketListener,
        *,
        task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Answer until cancelled."""
        host, port = listener.socket.getsockname()
        self.base_url = f"http://{host}:{port}"
        async with trio.open_nursery() as nursery:

            async def talk(stream: trio.SocketStream) -> None:
                with suppress(trio.BrokenResourceError):  # whoever asked was killed
                    await self._talk(stream, nursery)

            task_status.started(await nursery.start(trio.serve_listeners, talk, [listener]))

    async def _talk(self, stream: trio.SocketStream, nursery: trio.Nursery) -> None:
        received = b""
        async with stream:
            while arrived := await stream.receive_some(RECEIVE_BYTES):
                received += arrived
                while (size := request_size(received)) is not None:
                    request, received = _request(received[:size]), received[size:]
                    await stream.send_all(self._answer(request, nursery))

    def _answer(self, request: _Request, nursery: trio.Nursery) -> bytes:
        if request.path.startswith("/results/"):
            return _reply(PNG, b"image/png")
        if request.path.startswith("/api/v1/jobs/createTask"):
            task_id = f"task-{len(self.tasks)}"
            self.tasks[task_id] = self._now_s()
            order = msgspec.json.decode(request.body)
            nursery.start_soon(self._finish_task, task_id, order["callBackUrl"])
            return _kie({"taskId": task_id})
        if request.path.startswith("/api/v1/jobs/recordInfo"):
            return _kie(self._record(request.path.partition("taskId=")[2]))
        return self._answer_bot(request)

    def _answer_bot(self, request: _Request) -> bytes:
        method = request.path.rpartition("/")[2]
        now_s = self._now_s()
        self.calls.append(BotCall(method, now_s))
        if method == "answerCallbackQuery":
            callback_id = msgspec.json.decode(request.body)["callback_query_id"]
            self.answered_s.setdefault(callback_id, now_s)
        result: Any = True
        if method.startswith(("send", "editMessage")):
            result = {"message_id": next(self._message_ids)}
        return _reply(msgspec.json.encode({"ok": True, "result": result}))

    async def _finish_task(self, task_id: str, callback_url: str) -> None:
        await trio.sleep(GENERATION_S)
        path = "/" + callback_url.split("/", 3)[3]
        await self.call_back(path, msgspec.json.encode({"data": {"taskId": task_id}}))

    def _record(self, task_id: str) -> dict[str, Any]:
        is_done = self._now_s() - self.tasks[task_id] >= GENERATION_S
        if not is_done:
            return {"taskId": task_id, "state": "generating"}
        urls = [f"{self.base_url}/results/{task_id}.png"]
        result = msgspec.json.encode({"resultUrls": urls}).decode()
        return {"taskId": task_id, "state": "success", "resultJson": result}

    def _now_s(self) -> float:
        return self.sources.now().timestamp()


def _request(whole: bytes) -> _Request:
    head, _, body = whole.partition(b"\r\n\r\n")
    method, path, _ = head.partition(b"\r\n")[0].decode().split(" ")
    return _Request(method=method, path=path, body=body)


def _kie(data: dict[str, Any]) -> bytes:
    return _reply(msgspec.json.encode({"code": 200, "msg": "success", "data": data}))


def _reply(body: bytes, content_type: bytes = b"application/json") -> bytes:
    return _HEAD % (content_type, len(body), body)
