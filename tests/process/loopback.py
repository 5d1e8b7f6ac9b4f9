"""A Telegram and a KIE on loopback ports, for instances of the service in other processes."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import trio
from attrs import Factory, define

from tests.process.instance import DEADLINE_S, Instance, command_environment, started
from trt.sandbox.kie_script import KIEOptions
from trt.sandbox.kie_server import FakeKIE
from trt.sandbox.telegram_chat import Tap
from trt.sandbox.telegram_rates import NO_LIMITS
from trt.sandbox.telegram_server import FakeTelegram
from trt.sandbox.telegram_user import FakeUser
from trt.sources import SystemSources
from trt.web.http import ASGIApp
from trt.web.listener import bind, serve_on

HOST = "127.0.0.1"
TOKEN = "123456789:AAcanary-token-of-a-process-test"
KEY = "canary-kie-key-of-a-process-test"
WELCOME_KOPECKS = 100_00
QUICK = KIEOptions(duration_s=0.3, callback_retries_s=(1.0,) * 20)


@define(eq=False)
class Loopback:
    """The pretended outside world, and how to start the service in it."""

    telegram: FakeTelegram
    kie: FakeKIE
    environment: dict[str, str]
    """Everything that `trt run` must be told."""
    folder: Path
    """Where the service runs and keeps its database."""
    answers: list[httpx.Response] = Factory(list)
    """What the service answered to Telegram and KIE, oldest first."""
    on_answer: Callable[[httpx.Response], Awaitable[None]] | None = None
    """Awaited before the sender of a post sees its answer."""

    def start(self, **changes: str) -> AbstractAsyncContextManager[Instance]:
        """Start an instance; `changes` are environment variables."""
        return started("run", environment=self.environment | changes, folder=self.folder)

    @property
    def database(self) -> Path:
        """The file that every instance opens."""
        return self.folder / "trt.sqlite3"


@asynccontextmanager
async def loopback(folder: Path, options: KIEOptions = QUICK) -> AsyncIterator[Loopback]:
    """Run a Telegram and a KIE on free ports until the block is left."""
    with bind(HOST, 0) as telegram_at, bind(HOST, 0) as kie_at:
        port = free_port()
        kie_url = f"http://{HOST}:{kie_at.getsockname()[1]}"
        environment = command_environment() | {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "KIE_API_KEY": KEY,
            "HOST": HOST,
            "PORT": str(port),
            "WEBHOOK_BASE_URL": f"http://{HOST}:{port}",
            "TELEGRAM_API_BASE": f"http://{HOST}:{telegram_at.getsockname()[1]}",
            "KIE_API_BASE": kie_url,
            "WELCOME_BALANCE_RUB": str(WELCOME_KOPECKS // 100),
            "USD_TO_RUB": "78.0",
        }
        async with httpx.AsyncClient() as http, trio.open_nursery() as nursery:
            sources = SystemSources()
            around = Loopback(
                FakeTelegram(sources, token=TOKEN, http=http, limits=NO_LIMITS),
                FakeKIE(sources, key=KEY, http=http, base_url=kie_url, options=options),
                environment,
                folder,
            )

            async def answered(response: httpx.Response) -> None:
                around.answers.append(response)
                if around.on_answer is not None:
                    await around.on_answer(response)

            http.event_hooks = {"response": [answered]}
            await nursery.start(around.telegram.run)
            await nursery.start(around.kie.run)
            nursery.start_soon(_serve, telegram_at, around.telegram.app)
            nursery.start_soon(_serve, kie_at, around.kie.app)
            yield around
            nursery.cancel_scope.cancel()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server((HOST, 0)) as bound:
        port: int = bound.getsockname()[1]
    return port


async def _serve(bound: socket.socket, app: ASGIApp) -> None:
    forever: Callable[[], Awaitable[None]] = trio.sleep_forever
    await serve_on(bound, app, forever)


async def fill_order(user: FakeUser) -> None:
    """Take a person from the greeting to the confirmation of a picture."""
    user.send("/start")
    await user.wait_message("Привет", DEADLINE_S)
    user.tap("cat:image")
    await user.wait_message("Выберите модель", DEADLINE_S)
    user.tap("model:z-image")
    await user.wait_message("Цена:", DEADLINE_S)
    user.tap("🚀 Создать")
    await user.wait_message("Пришлите текст", DEADLINE_S)
    user.send("рыжая лиса в осеннем лесу")
    choice = await user.wait_message("Формат", DEADLINE_S)
    user.tap("16:9", choice)
    await user.wait_message("Проверьте заказ", DEADLINE_S)


def confirm(user: FakeUser) -> Tap:
    """Press the button that starts the order."""
    return user.tap("✅ Запустить")
