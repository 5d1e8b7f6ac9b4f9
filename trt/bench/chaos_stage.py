"""Telegram and KIE of `trt bench chaos` on their ports, with the ways to and from the instances."""

import socket
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import httpx
import trio

from trt.bench.chaos_doors import Doors
from trt.bench.chaos_outside import GENERATION_S, Outside
from trt.bench.chaos_plan import ChanceSources, ChaosPlan, Luck
from trt.bench.service_process import Place
from trt.catalog.copy_loader import load_copies
from trt.sandbox.http import ConnectionCut, Receive, Scope, Send, asgi
from trt.sandbox.kie_script import KIEOptions
from trt.sandbox.kie_server import FakeKIE
from trt.sandbox.telegram_server import FakeTelegram
from trt.sources import Sources
from trt.web.http import ASGIApp
from trt.web.listener import bind, serve_on

RESULTS_PATH = "/results/"
CREDITS = 1e9
CALLBACK_RETRIES_S = (1.0, 5.0, 15.0)
"""docs.kie.ai: at most three; the pauses are ours."""


@asynccontextmanager
async def open_outside(
    plan: ChaosPlan, sources: Sources, luck: Luck, places: Sequence[Place]
) -> AsyncIterator[Outside]:
    """Serve Telegram and KIE where the instances look for them.

    Args:
        plan: What is to go wrong.
        sources: Time and ids.
        luck: What goes wrong with which call.
        places: Where the instances are, all with the same secrets.
    """
    config = places[0].config
    telegram_at = _bind(config.telegram_api_base)
    kie_at = _bind(config.kie_api_base)
    # Telegram and KIE may keep as many posts under way as they like.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
    ports = [place.config.port for place in places]
    doors = Doors(ports, httpx.AsyncHTTPTransport(limits=limits))
    with telegram_at, kie_at:
        async with httpx.AsyncClient(transport=doors) as http, trio.open_nursery() as nursery:
            outside = Outside(
                telegram=FakeTelegram(sources, token=config.bot_token.reveal(), http=http),
                kie=FakeKIE(
                    ChanceSources(sources, plan.chance("KIE")),
                    key=config.kie_api_key.reveal(),
                    http=http,
                    base_url=config.kie_api_base,
                    options=_options(),
                ),
                luck=luck,
                sources=sources,
                silence_s=plan.silence_s,
                notices=_notices(),
            )
            await nursery.start(outside.telegram.run)
            await nursery.start(outside.kie.run)
            nursery.start_soon(_serve, telegram_at, outside.telegram.app)
            nursery.start_soon(_serve, kie_at, _with_results(outside))
            yield outside
            nursery.cancel_scope.cancel()


def _bind(base_url: str) -> socket.socket:
    parts = urlsplit(base_url)
    assert parts.hostname is not None
    assert parts.port is not None
    return bind(parts.hostname, parts.port)


def _options() -> KIEOptions:
    return KIEOptions(
        duration_s=GENERATION_S,
        jitter=0.5,
        callback_loss=0.10,
        callback_duplicates=0.10,
        callback_early=0.05,
        callback_retries_s=CALLBACK_RETRIES_S,
        credits=CREDITS,
    )


def _notices() -> Collection[str]:
    return {copy.text("notice.passive") for copy in load_copies().by_language.values()}


def _with_results(outside: Outside) -> ASGIApp:
    """Serve results from here: the sandbox paints each one, which takes longer than the rest."""
    results = asgi(outside.serve_result)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        is_result = scope["type"] == "http" and scope["path"].startswith(RESULTS_PATH)
        await (results if is_result else outside.kie.app)(scope, receive, send)

    return app


async def _serve(bound: socket.socket, app: ASGIApp) -> None:
    async def quietly(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ConnectionCut):  # its server closes the socket: that was the order
            await app(scope, receive, send)

    await serve_on(bound, quietly, trio.sleep_forever)
