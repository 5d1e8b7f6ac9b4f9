"""The world of `trt bench chaos`: each misfortune really happens, and what arrived is noted."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
import pytest
import trio
from attrs import frozen

from trt.bench.chaos_doors import Doors
from trt.bench.chaos_outside import Outside
from trt.bench.chaos_plan import ChaosPlan, Luck, Odds
from trt.sandbox.http import ConnectionCut
from trt.sandbox.kie_server import FakeKIE
from trt.sandbox.telegram_server import FakeTelegram
from trt.sources import SystemSources

TOKEN = "100000002:a-token-that-opens-nothing"
NOTICE = "one moment"
ALWAYS_TOO_MANY = Odds(too_many=1.0)
ALWAYS_DOWN = Odds(too_many=0.0, server_error=1.0)
ALWAYS_CUT = Odds(too_many=0.0, server_error=0.0, cut=1.0)
ALWAYS_LOST = Odds(too_many=0.0, server_error=0.0, cut=0.0, lost=1.0)
NEVER = Odds(too_many=0.0, server_error=0.0, cut=0.0, lost=0.0)


@frozen
class Phone:
    """A Telegram with one chat, under certain odds."""

    outside: Outside
    http: httpx.AsyncClient
    chat_id: int

    async def send(self, text: str = "hello") -> httpx.Response:
        return await self.http.post(
            f"http://telegram/bot{TOKEN}/sendMessage",
            json={"chat_id": self.chat_id, "text": text, "parse_mode": "HTML"},
        )

    @property
    def arrived(self) -> int:
        messages = self.outside.telegram.user(self.chat_id).messages
        return sum(message.is_from_bot for message in messages)


@asynccontextmanager
async def phone(odds: Odds) -> AsyncIterator[Phone]:
    sources = SystemSources()
    async with httpx.AsyncClient() as nowhere:
        outside = Outside(
            telegram=FakeTelegram(sources, token=TOKEN, http=nowhere),
            kie=FakeKIE(sources, key="key", http=nowhere, base_url="http://kie"),
            luck=Luck(ChaosPlan(seed=1, jobs=1, kills=0), odds={"sendMessage": odds}),
            sources=sources,
            silence_s=35.0,
            notices={NOTICE},
        )
        user = outside.telegram.user(5)
        user.send("/start")
        app = httpx.ASGITransport(outside.telegram.app)
        async with httpx.AsyncClient(transport=app) as http:
            yield Phone(outside, http, user.user_id)


@pytest.mark.parametrize(("odds", "status"), [(ALWAYS_TOO_MANY, 429), (ALWAYS_DOWN, 502)])
async def test_a_refused_call_is_not_executed(odds: Odds, status: int) -> None:
    async with phone(odds) as at:
        for _ in range(3):
            assert (await at.send()).status_code == status
        assert at.arrived == 0
        assert at.outside.messages == []


async def test_a_call_that_is_cut_off_before_is_not_executed() -> None:
    async with phone(ALWAYS_CUT) as at:
        with pytest.raises(ConnectionCut):
            await at.send()
        assert at.arrived == 0


async def test_a_lost_answer_belongs_to_a_message_that_arrived(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with phone(ALWAYS_LOST) as at:
        took_s = []
        for number in range(1, 9):
            began_s = trio.current_time()
            with pytest.raises(ConnectionCut):
                await at.send()
            took_s.append(trio.current_time() - began_s)
            assert at.arrived == len(at.outside.messages) == number
            await trio.sleep(2.0)  # the pretended Telegram has its rates
        assert set(took_s) == {0.0, 35.0}, "some are cut, some are silent"
        assert all(message.is_answer_lost for message in at.outside.messages)


async def test_messages_that_arrive_are_noted_once_and_notices_apart() -> None:
    async with phone(NEVER) as at:
        assert (await at.send()).status_code == 200
        assert (await at.send(text="")).status_code == 400
        assert (await at.send(text=NOTICE)).status_code == 200
        noted = [(one.method, one.is_notice, one.is_answer_lost) for one in at.outside.messages]
        assert noted == [("sendMessage", False, False), ("sendMessage", True, False)]


# The way in.


async def test_a_post_goes_to_the_instance_that_opens() -> None:
    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some(4096)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, host="127.0.0.1"), answer, 0)
        port = listener.socket.getsockname()[1]
        async with httpx.AsyncClient(transport=Doors([closed_port(), port])) as http:
            for _ in range(3):
                assert (await http.post("http://127.0.0.1:1/", content=b"{}")).text == "ok"
        nursery.cancel_scope.cancel()


async def test_a_post_finds_nobody_when_nobody_opens() -> None:
    async with httpx.AsyncClient(transport=Doors([closed_port(), closed_port()])) as http:
        with pytest.raises(httpx.ConnectError):
            await http.post("http://127.0.0.1:1/", content=b"{}")


def closed_port() -> int:
    """Return a port at which nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
    return port
