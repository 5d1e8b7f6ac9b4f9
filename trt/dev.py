"""`trt dev`: the real service between a pretended Telegram and a pretended KIE, and a page."""

import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

import httpx
import trio
from attrs import frozen

from trt.app import App, open_app
from trt.config import Config, ConfigProblems, read_config
from trt.sandbox.chat_adapter import page_app
from trt.sandbox.kie_server import FakeKIE
from trt.sandbox.telegram_server import FIRST_USER_ID, FakeTelegram
from trt.sandbox.wire_log import WireLog
from trt.service import EXIT_OK, stop_on_signal
from trt.sources import Sources
from trt.web.health import health
from trt.web.http import ASGIApp
from trt.web.listener import bind, serve_on

LOOPBACK = "127.0.0.1"
BOT_TOKEN = "100000001:sandbox-token-of-a-pretended-bot"  # noqa: S105 - opens nothing
KIE_KEY = "sandbox-key"
WELCOME_RUB = "100"


@frozen(kw_only=True)
class DevPorts:
    """Where everything listens, on loopback only."""

    page: int = 8080

    page_max: ClassVar[int] = 65_535 - 3

    @property
    def bot(self) -> int:
        """The service itself: webhook, callbacks, /health."""
        return self.page + 1

    @property
    def telegram(self) -> int:
        """The pretended Bot API."""
        return self.page + 2

    @property
    def kie(self) -> int:
        """The pretended KIE."""
        return self.page + 3


def dev_config(
    ports: DevPorts, folder: Path, environment: Mapping[str, str]
) -> Config | ConfigProblems:
    """Return the configuration of a sandbox.

    Args:
        ports: Where the servers are.
        folder: Where the database goes.
        environment: May change prices, the welcome balance and limits, nothing that points outside.
    """
    free = {
        name: environment[name]
        for name in ("WELCOME_BALANCE_RUB", "USD_TO_RUB", "PRICE_MULTIPLIER", "ACTIVE_JOBS_MAX")
        if name in environment
    }
    return read_config(
        {
            "WELCOME_BALANCE_RUB": WELCOME_RUB,
            "USD_TO_RUB": "78.0",
            **free,
            "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
            "KIE_API_KEY": KIE_KEY,
            "HOST": LOOPBACK,
            "PORT": str(ports.bot),
            "WEBHOOK_BASE_URL": f"http://{LOOPBACK}:{ports.bot}",
            "TELEGRAM_API_BASE": f"http://{LOOPBACK}:{ports.telegram}",
            "KIE_API_BASE": f"http://{LOOPBACK}:{ports.kie}",
            "KIE_UPLOAD_BASE": f"http://{LOOPBACK}:{ports.kie}",
            "DATA_DIR": str(folder),
        }
    )


async def run_dev(config: Config, ports: DevPorts, sources: Sources) -> int:
    """Run the sandbox until SIGINT or SIGTERM and return the exit code.

    Raises:
        CannotBind: One of the four ports is taken.
    """
    with ExitStack() as bound_sockets:
        page, telegram_at, kie_at = (
            bound_sockets.enter_context(bind(LOOPBACK, port))
            for port in (ports.page, ports.telegram, ports.kie)
        )
        wire = WireLog()
        async with httpx.AsyncClient(timeout=30.0) as http, open_app(config, sources) as app:
            telegram = FakeTelegram(sources, token=BOT_TOKEN, http=http, wire=wire)
            kie = FakeKIE(sources, key=KIE_KEY, http=http, base_url=config.kie_api_base, wire=wire)
            site: ASGIApp = page_app(telegram, wire, lambda: _tree(app))  # type: ignore[assignment]
            async with trio.open_nursery() as outside:
                await outside.start(telegram.run)
                await outside.start(kie.run)
                for bound, served in ((telegram_at, telegram.app), (kie_at, kie.app), (page, site)):
                    outside.start_soon(_serve, bound, served)
                await _run_inside(app, telegram, ports, config.drain_grace_s)
                outside.cancel_scope.cancel()
    return EXIT_OK


async def _run_inside(app: App, telegram: FakeTelegram, ports: DevPorts, grace_s: float) -> None:
    """Run the service within its pretended surroundings, with somebody already saying hello."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop_on_signal, app, grace_s)
        async with trio.open_nursery() as running:
            await running.start(app.run)
            telegram.user(FIRST_USER_ID).send("/start")
            _greet(ports)
        nursery.cancel_scope.cancel()
    _say("Stopped.")


async def _serve(bound: socket.socket, app: ASGIApp) -> None:
    forever: Callable[[], Awaitable[None]] = trio.sleep_forever
    await serve_on(bound, app, forever)


def _tree(app: App) -> dict[str, object]:
    body = health(app.vitals())
    tree: dict[str, object] = body["actors"]
    return tree | {"channels": body["channels"]}


def _greet(ports: DevPorts) -> None:
    _say(
        "TRT sandbox is running. Nothing here leaves this machine.\n\n"
        f"  Chat with the bot   http://{LOOPBACK}:{ports.page}\n"
        f"  Its health          http://{LOOPBACK}:{ports.bot}/health\n"
        f"  Pretended Telegram  http://{LOOPBACK}:{ports.telegram}\n"
        f"  Pretended KIE       http://{LOOPBACK}:{ports.kie}\n\n"
        "Stop with Ctrl-C."
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """Return where a sandbox keeps its database: it starts afresh each time, like its chats."""
    return tempfile.TemporaryDirectory(prefix="trt-sandbox-")
