"""Telegram is asked without giving the token away, and its answer is judged."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
import trio

from tests.ops.samples import CANARY, NOW
from trt.ops.finding import Finding, Verdict
from trt.ops.webhook_checks import WebhookWanted, check_webhook
from trt.ops.webhook_question import ask_webhook
from trt.secret import Secret
from trt.telegram.errors import TelegramUnauthorized, TelegramUnavailable
from trt.telegram.outcomes import WebhookInfo

URL = f"https://bot.example.org/webhook/{CANARY}"
WANTED = WebhookWanted(url=Secret(URL), allowed_updates=("message", "callback_query"))
POLLING = WebhookWanted(url=None, allowed_updates=("message", "callback_query"))
TOKEN = Secret(f"123456:{CANARY}")


def state(**changed: Any) -> WebhookInfo:
    usual: dict[str, Any] = {
        "url": URL,
        "pending_update_count": 0,
        "max_connections": None,
        "allowed_updates": ("message", "callback_query", "poll"),
        "last_error_at": None,
        "last_error_message": None,
    }
    return WebhookInfo(**(usual | changed))


def judged(answered: WebhookInfo, wanted: WebhookWanted = WANTED) -> list[Finding]:
    found = check_webhook(answered, wanted, now=NOW)
    assert CANARY not in repr(found)
    return found


def worst(found: list[Finding]) -> Verdict:
    return max((finding.verdict for finding in found), key=list(Verdict).index)


def test_a_webhook_as_it_should_be_is_well() -> None:
    assert worst(judged(state())) is Verdict.OK


@pytest.mark.parametrize(
    ("answered", "word"),
    [
        (state(url=""), "nowhere"),
        (state(url="https://else.example.org/x"), "else.example.org"),
        (state(url=f"{URL}-old"), "not the configured one"),
        (state(allowed_updates=("message",)), "callback_query"),
    ],
)
def test_a_webhook_that_brings_nothing_is_a_failure(answered: WebhookInfo, word: str) -> None:
    found = judged(answered)
    assert worst(found) is Verdict.FAIL
    assert word in repr(found)


def test_polling_wants_no_webhook() -> None:
    assert worst(judged(state(url="", allowed_updates=()), POLLING)) is Verdict.OK
    assert worst(judged(state(), POLLING)) is Verdict.FAIL


def test_updates_that_pile_up_and_fresh_errors_are_warnings() -> None:
    assert worst(judged(state(pending_update_count=101))) is Verdict.WARN
    failed_at = NOW - timedelta(seconds=90)
    found = judged(state(last_error_at=failed_at, last_error_message="502 Bad Gateway"))
    assert worst(found) is Verdict.WARN
    assert "1 min 30 s ago: 502 Bad Gateway" in found[-1].what
    assert worst(judged(state(last_error_at=failed_at - timedelta(seconds=4000)))) is Verdict.OK


@asynccontextmanager
async def telegram(status: str, body: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives every request one answer; yields its address and what it was asked."""
    asked: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            asked.append(await stream.receive_some())
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            await stream.send_all(head.encode() + body)

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, serve, [listener])
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}", asked
        nursery.cancel_scope.cancel()


async def ask(address: str) -> WebhookInfo:
    return await trio.to_thread.run_sync(partial(ask_webhook, address, TOKEN))


async def test_the_question_is_get_webhook_info() -> None:
    body = msgspec.json.encode({"ok": True, "result": {"url": URL, "pending_update_count": 3}})
    async with telegram("200 OK", body) as (address, asked):
        answered = await ask(address)
    assert (answered.url, answered.pending_update_count) == (URL, 3)
    assert asked[0].startswith(f"POST /bot{TOKEN.reveal()}/getWebhookInfo ".encode())


async def test_a_wrong_token_is_named() -> None:
    body = b'{"ok": false, "error_code": 401, "description": "Unauthorized"}'
    async with telegram("401 Unauthorized", body) as (address, _):
        with pytest.raises(TelegramUnauthorized):
            await ask(address)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("502 Bad Gateway", b"<html>"),
        ("200 OK", b"<html>"),
        ("429 Too Many Requests", b'{"ok": false, "error_code": 429, "description": "x"}'),
        (f"302 Found\r\nLocation: /{CANARY}", b""),
    ],
)
async def test_an_answer_of_no_use_says_so_without_the_token(status: str, body: bytes) -> None:
    async with telegram(status, body) as (address, asked):
        with pytest.raises(TelegramUnavailable) as raised:
            await ask(address)
    assert CANARY not in str(raised.value)
    assert len(asked) == 1


async def test_nobody_there_says_so_without_the_token() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    with pytest.raises(TelegramUnavailable) as raised:
        await ask(f"http://127.0.0.1:{port}")
    assert "ConnectError" in str(raised.value)


@pytest.mark.parametrize("address", ["http://a..b:port", "nowhere", "ftp://a"])
async def test_an_address_that_is_none_says_so_without_the_token(address: str) -> None:
    with pytest.raises(TelegramUnavailable) as raised:
        await ask(address)
    assert "not sent" in str(raised.value)


async def test_an_answer_that_breaks_off_says_so_without_the_token() -> None:
    async def hang_up(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, hang_up, [listener])
        with pytest.raises(TelegramUnavailable) as raised:
            await ask(f"http://127.0.0.1:{listener.socket.getsockname()[1]}")
        nursery.cancel_scope.cancel()
    assert "RemoteProtocolError" in str(raised.value)
