"""A pretended Telegram: the Bot API over ASGI, and people to talk to the bot."""

from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import httpx
import trio

from trt.sandbox.faults import Call, CallHook, Faults
from trt.sandbox.http import ASGIApp, MalformedBody, Reply, Request, arguments, asgi, json_reply
from trt.sandbox.telegram_chat import ChatChange, FakeFile, FakePerson
from trt.sandbox.telegram_files import Files
from trt.sandbox.telegram_methods import BotMethods
from trt.sandbox.telegram_rates import REAL_LIMITS, Limits, too_many
from trt.sandbox.telegram_refusal import Refused
from trt.sandbox.telegram_schema import method_name, read_arguments
from trt.sandbox.telegram_till import Till
from trt.sandbox.telegram_updates import Polling, PostedUpdate, Updates
from trt.sandbox.telegram_user import FakeUser
from trt.sandbox.telegram_webhook import Deliverer
from trt.sandbox.telegram_world import TelegramWorld
from trt.sandbox.wire_log import Direction, Service, WireLog
from trt.sources import Sources

CALLS_MAX = 10_000
FIRST_USER_ID = 100_000_001
DOWNLOAD = "download"
"""What the fetching of a file is called in faults and in the wire log."""


class FakeTelegram:
    """Strict about the real rules, deterministic by its sources, scriptable with faults.

    Args:
        sources: where time, chance and ids come from.
        token: the bot's token, `<bot id>:<secret>`.
        http: reaches the bot's webhook and the files that are sent by address.
        limits: Telegram's numbers; `NO_LIMITS` switches the 429s off.
        wire: where requests are noted, without secrets.
        username: the bot's.
        is_strict: refuse arguments the documentation does not know; the real server drops them.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        token: str,
        http: httpx.AsyncClient,
        limits: Limits = REAL_LIMITS,
        wire: WireLog | None = None,
        username: str = "trt_sandbox_bot",
        is_strict: bool = True,
    ) -> None:
        self._sources = sources
        self._token = token
        self._wire = wire
        self._is_strict = is_strict
        updates = Updates(sources.random().randrange(10**8, 2 * 10**8))
        self._world = TelegramWorld(
            sources=sources,
            bot_id=int(token.partition(":")[0]),
            username=username,
            limits=limits,
            files=Files(sources, http),
            updates=updates,
            polling=Polling(updates),
            deliverer=Deliverer(updates, sources=sources, http=http, limits=limits, wire=wire),
        )
        self.till = Till(self._world)
        """Money that moves without the bot: refunds and debits from outside."""
        self._methods = BotMethods(self._world, self.till)
        self._users: dict[int, FakeUser] = {}
        self.app: ASGIApp = asgi(self._handle)
        """`/bot<token>/<method>` and `/file/bot<token>/<file_path>`."""
        self.faults = Faults()
        self.calls: deque[Call] = deque(maxlen=CALLS_MAX)
        """Every call that was authorized and known, oldest first, also the refused ones."""
        self.before_call: CallHook | None = None
        """Awaited before a call is executed."""
        self.after_call: CallHook | None = None
        """Awaited after a call was executed, before its answer goes out."""

    async def run(  # noqa: ASYNC128 - the deliverer reports its readiness
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Deliver updates to the webhook until cancelled."""
        await self._world.deliverer.run(task_status=task_status)

    # People

    def user(
        self, user_id: int | None = None, first_name: str = "Анна", language_code: str = "ru"
    ) -> FakeUser:
        """Return the person with this id; without one, somebody new."""
        if user_id is None:
            user_id = FIRST_USER_ID + len(self._users)
        if user_id not in self._users:
            person = FakePerson(user_id=user_id, first_name=first_name, language_code=language_code)
            self._users[user_id] = FakeUser(self._world, self.till, person)
        return self._users[user_id]

    @property
    def users(self) -> Sequence[FakeUser]:
        """Everybody, in order of appearance."""
        return tuple(self._users.values())

    def subscribe(self) -> AbstractContextManager[trio.MemoryReceiveChannel[ChatChange]]:
        """Return a context that yields a channel of every change in any chat from now on."""
        return self._world.changes.subscribe()

    def file(self, file_id: str) -> FakeFile | None:
        """Return a file that was sent in some chat."""
        return self._world.files.get(file_id)

    # Updates

    def post(self, kind: str, content: dict[str, Any], queue: str = "other") -> int:
        """Send the bot an update of any kind; return its id."""
        return self._world.post(kind, queue, content).update_id

    def update(self, update_id: int) -> PostedUpdate:
        """Return what became of an update."""
        return self._world.updates.history[update_id]

    def redeliver(self, update_id: int) -> None:
        """Deliver an update again under its id, as if the bot's 200 had been lost."""
        update = self.update(update_id)
        self._world.updates.queue_again(update)
        self._world.hurry(update)

    def repeat(self, update_id: int) -> int:
        """Tell the same once more in an update of its own; return its id."""
        update = self.update(update_id)
        return self._world.post(update.kind, update.queue, update.body[update.kind]).update_id

    @property
    def pending(self) -> Sequence[PostedUpdate]:
        """What still waits to be delivered, by update_id."""
        return self._world.updates.pending()

    @property
    def dropped(self) -> Sequence[PostedUpdate]:
        """What expired, was dropped on request or not asked for."""
        history = self._world.updates.history.values()
        return [update for update in history if update.dropped_at is not None]

    # The Bot API

    async def _handle(self, request: Request) -> Reply:
        began_at, began = self._sources.now(), trio.current_time()
        door, _, rest = request.path.removeprefix("/").partition("/")
        status: int | None = None
        name = DOWNLOAD if door == "file" else method_name(rest) or "unknown"
        summary = ""
        try:
            if name == DOWNLOAD:
                reply = await self._download(rest)
            else:
                reply = await self._answer(door, name, request)
            status = reply.status
        except Refused as refusal:
            reply = _refusal(refusal)
            status, summary = refusal.code, refusal.description
        finally:
            if self._wire is not None:
                self._wire.record(
                    at=began_at,
                    direction=Direction.FROM_BOT,
                    service=Service.TELEGRAM,
                    what=name,
                    status=status,
                    duration_s=trio.current_time() - began,
                    summary=summary,
                )
        return reply

    async def _answer(self, door: str, name: str, request: Request) -> Reply:
        if door != f"bot{self._token}":
            raise Refused(401, "Unauthorized")
        if name == "unknown":
            raise Refused(404, "Not Found: method not found")
        if request.method not in {"GET", "POST"}:
            raise Refused(405, "Method Not Allowed")
        try:
            call = Call(name=name, arguments=arguments(request))
        except MalformedBody as error:
            raise Refused(400, f"Bad Request: {error}") from None
        self.calls.append(call)
        if self.before_call is not None:
            await self.before_call(call)
        return await self.faults.carry_out(call, partial(self._executed, call), too_many=too_many)

    async def _executed(self, call: Call) -> Reply:
        try:
            return await self._execute(call)
        finally:
            if self.after_call is not None:
                await self.after_call(call)  # noqa: ASYNC102 - a cancelled call tells nobody

    async def _execute(self, call: Call) -> Reply:
        checked = read_arguments(call.name, call.arguments, is_strict=self._is_strict)
        done = await self._methods.call(call.name, checked)
        content = {"ok": True, "result": done.result}
        return json_reply(
            200, content | ({"description": done.description} if done.description else {})
        )

    async def _download(self, rest: str) -> Reply:
        token, _, path = rest.partition("/")
        if token != f"bot{self._token}":
            raise Refused(401, "Unauthorized")
        call = Call(name=DOWNLOAD, arguments={"file_path": path})
        return await self.faults.carry_out(call, partial(self._file, path), too_many=too_many)

    async def _file(self, path: str) -> Reply:
        file = self._world.files.at_path(path)
        if file is None:
            raise Refused(404, "Not Found")
        return Reply(status=200, body=file.data, content_type=file.content_type)


def _refusal(refusal: Refused) -> Reply:
    content: dict[str, Any] = {
        "ok": False,
        "error_code": refusal.code,
        "description": refusal.description,
    }
    if refusal.retry_after_s is None:
        return json_reply(refusal.code, content)
    content["parameters"] = {"retry_after": refusal.retry_after_s}
    headers = (("retry-after", str(refusal.retry_after_s)),)
    return json_reply(refusal.code, content, headers)
