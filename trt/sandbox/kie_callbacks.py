"""Delivers the callbacks of ended tasks."""

import base64
import hashlib
import hmac

import httpx
import msgspec
import trio
from attrs import frozen

from trt.sandbox.kie_script import KIEOptions
from trt.sandbox.kie_task import FakeTask, callback
from trt.sandbox.wire_log import Direction, Service, WireLog
from trt.sources import Sources


@frozen(kw_only=True, repr=False)
class CallbackSender:
    """Tries each callback until it gets a 2xx, at most once more per pause in the options."""

    sources: Sources
    http: httpx.AsyncClient
    options: KIEOptions
    wire: WireLog | None

    async def send(self, task: FakeTask, *, remaining: float) -> None:
        """Deliver every copy of the task's callback; `remaining` is the balance it reports."""
        if task.callback_url is None:
            return
        body = msgspec.json.encode(callback(task, remaining=remaining))
        for _ in range(task.callbacks.copies):
            await self._deliver(task, task.callback_url, body)

    async def _deliver(self, task: FakeTask, url: str, body: bytes) -> None:
        for pause_s in (0.0, *self.options.callback_retries_s):
            await trio.sleep(pause_s)
            status = await self._post(task, url, body)
            task.callback_statuses.append(status)
            if status is not None and httpx.codes.is_success(status):
                return

    async def _post(self, task: FakeTask, url: str, body: bytes) -> int | None:
        began_at, began = self.sources.now(), trio.current_time()
        status: int | None = None
        with trio.move_on_after(self.options.callback_timeout_s):
            try:
                response = await self.http.post(
                    url,
                    content=body,
                    headers={"Content-Type": "application/json", **self._signature(task)},
                    timeout=None,
                )
                status = response.status_code
            except (httpx.HTTPError, httpx.InvalidURL):
                # Not reached: the next try or the bot's own polling makes up for it.
                status = None
        if self.wire is not None:
            self.wire.record(
                at=began_at,
                direction=Direction.TO_BOT,
                service=Service.KIE,
                what="callback",
                status=status,
                duration_s=trio.current_time() - began,
                summary=f"{task.model_id} {task.state} {task.task_id[:8]}",
            )
        return status

    def _signature(self, task: FakeTask) -> dict[str, str]:
        """Return the headers of docs.kie.ai/common-api/webhook-verification."""
        if self.options.hmac_key is None:
            return {}
        timestamp = str(int(self.sources.now().timestamp() - self.options.hmac_age_s))
        message = f"{task.task_id}.{timestamp}".encode()
        digest = hmac.new(self.options.hmac_key.encode(), message, hashlib.sha256).digest()
        return {
            "X-Webhook-Timestamp": timestamp,
            "X-Webhook-Signature": base64.b64encode(digest).decode(),
        }
