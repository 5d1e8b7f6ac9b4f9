"""The pretended services in this process, in virtual time, and a bot's side of the wires."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import trio
from attrs import Factory, define
from trio.testing import MockClock

from trt.sandbox.http import Reply, Request, asgi
from trt.sandbox.kie_script import KIEOptions
from trt.sandbox.kie_server import FakeKIE
from trt.sandbox.telegram_rates import REAL_LIMITS, Limits
from trt.sandbox.telegram_server import FakeTelegram
from trt.sandbox.telegram_user import FakeUser
from trt.sandbox.wire_log import WireLog
from trt.testing.network import InProcessNetwork
from trt.testing.virtual_time import VirtualSources

TOKEN = "123456789:canary-token-canary-token-canary-tok"
KEY = "canary-kie-key"
HOOK = "https://bot.test/webhook"
SECRET = "secret_1"


@define
class Bot:
    """What stands behind the webhook and the callback address: notes and answers."""

    requests: list[Request] = Factory(list)
    at: list[float] = Factory(list)
    answers: list[Reply | Callable[[], Awaitable[Reply]]] = Factory(list)
    """For the next requests; afterwards 200."""

    async def handle(self, request: Request) -> Reply:
        self.requests.append(request)
        self.at.append(trio.current_time())
        answer = self.answers.pop(0) if self.answers else Reply(status=200, body=b"")
        return answer if isinstance(answer, Reply) else await answer()


@define
class Outside:
    telegram: FakeTelegram
    kie: FakeKIE
    http: httpx.AsyncClient
    bot: Bot
    wire: WireLog
    nursery: trio.Nursery
    sources: VirtualSources

    async def call(self, method: str, **arguments: Any) -> httpx.Response:
        return await self.http.post(f"https://telegram.test/bot{TOKEN}/{method}", json=arguments)

    async def result(self, method: str, **arguments: Any) -> Any:
        response = await self.call(method, **arguments)
        assert response.status_code == 200, response.text
        return response.json()["result"]

    async def refusal(self, method: str, **arguments: Any) -> tuple[int, str]:
        response = await self.call(method, **arguments)
        body = response.json()
        assert not body["ok"]
        assert response.status_code == body["error_code"]
        return body["error_code"], body["description"]

    async def set_webhook(self) -> None:
        await self.result("setWebhook", url=HOOK, secret_token=SECRET)

    def started_user(self) -> FakeUser:
        user = self.telegram.user()
        user.send("/start")
        return user

    async def kie_call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {KEY}"}
        url = f"https://kie.test/api/v1/{path}"
        response = await self.http.request(method, url, headers=headers, **request)
        assert response.status_code == 200
        body: dict[str, Any] = response.json()
        return body

    async def create_task(self, **changes: Any) -> dict[str, Any]:
        body = {
            "model": "z-image",
            "input": {"prompt": "кот", "aspect_ratio": "1:1"},
            "callBackUrl": "https://bot.test/callback",
        }
        return await self.kie_call("POST", "jobs/createTask", json=body | changes)

    async def record(self, task_id: str) -> dict[str, Any]:
        body = await self.kie_call("GET", "jobs/recordInfo", params={"taskId": task_id})
        data: dict[str, Any] = body["data"]
        return data


@asynccontextmanager
async def outside(
    clock: MockClock,
    *,
    limits: Limits = REAL_LIMITS,
    options: KIEOptions | None = None,
    is_strict: bool = True,
) -> AsyncIterator[Outside]:
    """Run a Telegram at telegram.test, a KIE at kie.test and a bot at bot.test."""
    transport, bot, wire, sources = InProcessNetwork(), Bot(), WireLog(), VirtualSources(seed=1)
    async with httpx.AsyncClient(transport=transport) as http, trio.open_nursery() as nursery:
        telegram = FakeTelegram(
            sources, token=TOKEN, http=http, limits=limits, wire=wire, is_strict=is_strict
        )
        kie = FakeKIE(
            sources, key=KEY, http=http, base_url="https://kie.test", options=options, wire=wire
        )
        transport.apps |= {
            "telegram.test": telegram.app,
            "kie.test": kie.app,
            "bot.test": asgi(bot.handle),
        }
        await nursery.start(telegram.run)
        await nursery.start(kie.run)
        yield Outside(telegram, kie, http, bot, wire, nursery, sources)
        nursery.cancel_scope.cancel()
