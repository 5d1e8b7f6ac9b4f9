"""POST /webhook/<secret path>: Telegram's updates, answered 200 once they are committed."""

import hmac
from collections.abc import Callable
from typing import assert_never

from attrs import frozen

from trt.actors.door import Door, DoorClosed
from trt.actors.update_ingress import Accept, Duplicate, NotStored, Stored
from trt.domain.reasons import Reason
from trt.secret import Secret
from trt.storage.inbox import InboxRow
from trt.supervision import ActorCrashed, ActorStopped, AskTimedOut, Ref
from trt.telegram.updates import BadUpdate
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream
from trt.web.http import Receive, Scope, Send, TooLarge, answer, header, read_body, refuse

RETRY_AFTER_S = 1
"""Telegram honours it; without it the next try could come a minute later."""


@frozen(kw_only=True)
class Webhook:
    """The door for updates: checks the secrets, commits through the ingress, answers."""

    secret_path: Secret
    secret_token: Secret
    door: Door
    ingress: Ref[Accept]
    receive: Callable[[bytes], InboxRow | BadUpdate]
    events: EventStream
    accept_within_s: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not self._is_authentic(scope):
            self.events.emit(EventName.AUTH_REFUSED, where="webhook")
            await refuse(send, 403, "wrong secret", "send what was given to setWebhook")
        elif scope["method"] != "POST":
            await refuse(send, 405, f"method {scope['method']}", "use POST")
        elif not header(scope, b"content-type").lower().startswith(b"application/json"):
            await refuse(send, 415, "wrong content type", "send application/json")
        else:
            await self._take(scope, receive, send)

    def _is_authentic(self, scope: Scope) -> bool:
        """Compare both secrets in constant time, whatever the first comparison says."""
        path = scope["path"].removeprefix("/webhook/").encode("utf-8", "replace")
        token = header(scope, b"x-telegram-bot-api-secret-token")
        right_path = hmac.compare_digest(path, self.secret_path.reveal().encode())
        right_token = hmac.compare_digest(token, self.secret_token.reveal().encode())
        return right_path and right_token

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(scope, receive)
        if isinstance(body, TooLarge):
            await refuse(send, 413, "the body is larger than 1 MiB", "send one Update")
            return
        row = self.receive(body)
        if isinstance(row, BadUpdate):
            await refuse(send, 400, row.problem, "send one Update of the Bot API as JSON")
            return
        try:
            with self.door.enter():
                verdict = await self.ingress.ask(Accept(row), self.accept_within_s)
        except (DoorClosed, AskTimedOut, ActorStopped, ActorCrashed) as why:
            await self._come_again(row, send, type(why).__name__)
            return
        match verdict:
            case Stored() | Duplicate():
                await answer(send, 200, {"ok": True})
            case NotStored():
                await self._come_again(row, send, None)
            case _:
                assert_never(verdict)

    async def _come_again(self, row: InboxRow, send: Send, why: str | None) -> None:
        """Refuse so that Telegram delivers the update again: nothing is lost."""
        if why is not None:
            self.events.emit(
                EventName.UPDATE_REFUSED,
                cid=row.cid,
                update_id=row.update_id,
                kind=row.kind,
                reason_code=Reason.MAILBOX_FULL,
                detail=why,
            )
        await refuse(send, 503, "not now", "deliver it again", retry_after_s=RETRY_AFTER_S)
