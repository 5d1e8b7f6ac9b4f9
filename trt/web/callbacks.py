"""POST /<callback path>/<job>/<signature>: KIE calls back; stored, and used only as a wake-up."""

from attrs import frozen

from trt.actors.callback_ingress import CallbackStored, Store
from trt.actors.door import Door, DoorClosed
from trt.domain.ids import JobId, TaskId
from trt.kie.callbacks import (
    RECENT_WITHIN_S,
    is_recent,
    is_signed,
    parse_callback,
    verify_hmac,
)
from trt.secret import Secret
from trt.sources import Sources
from trt.supervision import ActorCrashed, ActorStopped, AskTimedOut, Ref
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream
from trt.web.http import Receive, Scope, Send, TooLarge, answer, header, read_body, refuse

STORE_WITHIN_S = 5.0
RETRY_AFTER_S = 2


@frozen(kw_only=True)
class Callbacks:
    """The door for callbacks: our signature in the address, KIE's over the task if it has a key."""

    prefix: str
    """The path before the job id, with slashes on both sides."""
    signing_key: Secret
    hmac_key: Secret | None
    door: Door
    ingress: Ref[Store]
    sources: Sources
    events: EventStream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        job_id, _, signature = scope["path"].removeprefix(self.prefix).partition("/")
        if not is_signed(self.signing_key.reveal().encode(), JobId(job_id), signature):
            self.events.emit(EventName.AUTH_REFUSED, where="kie_callback")
            await refuse(send, 403, "wrong signature", "call back at the address of the task")
        elif scope["method"] != "POST":
            await refuse(send, 405, f"method {scope['method']}", "use POST")
        else:
            await self._take(JobId(job_id), scope, receive, send)

    async def _take(self, job_id: JobId, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(scope, receive)
        task_id = None if isinstance(body, TooLarge) else parse_callback(body)
        if task_id is None:
            self.events.emit(EventName.KIE_CALLBACK_REFUSED, reason="no task id", job_id=job_id)
            await refuse(send, 400, "no task id in the body", "send the task's record")
        elif not self._is_from_kie(scope, task_id):
            self.events.emit(EventName.AUTH_REFUSED, where="kie_callback_hmac")
            await refuse(send, 401, "wrong X-Webhook-Signature", "sign with the webhook HMAC key")
        elif not self._is_recent(scope):
            self.events.emit(EventName.AUTH_REFUSED, where="kie_callback_timestamp")
            far = f"X-Webhook-Timestamp is not within {RECENT_WITHIN_S} s of our clock"
            await refuse(send, 401, far, "send the unix seconds of the call")
        else:
            await self._store(Store(job_id, task_id), send)

    def _is_from_kie(self, scope: Scope, task_id: TaskId) -> bool:
        if self.hmac_key is None:
            return True
        return verify_hmac(
            self.hmac_key.reveal().encode(),
            task_id,
            _timestamp(scope),
            header(scope, b"x-webhook-signature").decode("latin-1"),
        )

    def _is_recent(self, scope: Scope) -> bool:
        return self.hmac_key is None or is_recent(_timestamp(scope), self.sources.now())

    async def _store(self, order: Store, send: Send) -> None:
        try:
            with self.door.enter():
                stored = await self.ingress.ask(order, STORE_WITHIN_S)
        except (DoorClosed, AskTimedOut, ActorStopped, ActorCrashed):
            stored = None
        if isinstance(stored, CallbackStored):
            await answer(send, 200, {"code": 200, "msg": "success"})
        else:
            await refuse(send, 503, "not now", "call again", retry_after_s=RETRY_AFTER_S)


def _timestamp(scope: Scope) -> str:
    return header(scope, b"x-webhook-timestamp").decode("latin-1")
