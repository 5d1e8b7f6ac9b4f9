"""The event stream: everything that changes is told, and nothing that does not."""

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.sandbox.fake_chat import ANNA, FakeChat, FakeWire
from trt.sandbox.page_events import KEEP_ALIVE_S, EventStream
from trt.sandbox.page_server import page_server
from trt.sandbox.page_source import ActionShown, CheckoutEnded, MessageGone, StarsChanged


class Reader:
    """An open page."""

    def __init__(self, stream: EventStream) -> None:
        self._chunks = aiter(stream)

    async def chunk(self, timeout_s: float = 60.0) -> bytes:
        with trio.fail_after(timeout_s):
            return await anext(self._chunks)

    async def event(self, timeout_s: float = 60.0) -> tuple[str, Any]:
        chunk = await self.chunk(timeout_s)
        name, data = chunk.decode().removesuffix("\n\n").split("\n")
        return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    async def opened(self) -> dict[str, Any]:
        """Read what every page is told at first."""
        return dict([await self.event(), await self.event()])


@pytest.fixture
def chat() -> FakeChat:
    return FakeChat()


@pytest.fixture
def wire() -> FakeWire:
    return FakeWire()


async def test_a_page_is_first_told_the_tree_and_the_remembered_calls(
    chat: FakeChat, wire: FakeWire
) -> None:
    wire.put("getMe")
    async with EventStream(chat, wire, lambda: {"name": "trt", "channels": []}) as stream:
        first = await Reader(stream).opened()
    assert first["tree"] == {"name": "trt", "channels": []}
    assert [entry["method"] for entry in first["hello"]["wire"]] == ["getMe"]


async def test_every_kind_of_change_is_told(
    chat: FakeChat, wire: FakeWire, autojump_clock: MockClock
) -> None:
    async with EventStream(chat, wire, dict) as stream:
        page = Reader(stream)
        await page.opened()
        message = chat.put(html="Привет", buttons=["cat:image"])
        name, event = await page.event()
        assert (name, event["user"], event["message"]["html"]) == ("message", ANNA.id, "Привет")
        chat.edit(message, "Пока")
        name, event = await page.event()
        assert (name, event["message"]["id"], event["message"]["edits"]) == ("message", 1, 1)
        chat.answer((ANNA.id, 1, "cat:image"), "Скоро", is_alert=True)
        name, event = await page.event()
        assert (name, event["data"], event["text"]) == ("answer", "cat:image", "Скоро")
        assert event["is_alert"] is True
        chat.listeners.tell(ActionShown(user_id=ANNA.id, action="typing"))
        assert await page.event() == ("action", {"user": ANNA.id, "action": "typing"})
        chat.listeners.tell(MessageGone(user_id=ANNA.id, message_id=1))
        assert await page.event() == ("gone", {"user": ANNA.id, "message_id": 1})
        chat.listeners.tell(StarsChanged(user_id=ANNA.id, stars=5))
        assert await page.event() == ("stars", {"user": ANNA.id, "stars": 5})
        chat.listeners.tell(CheckoutEnded(user_id=ANNA.id, text="Оплачено", is_alert=False))
        name, event = await page.event()
        assert (name, event["user"], event["text"]) == ("checkout", ANNA.id, "Оплачено")
        wire.put("sendMessage", status=None)
        name, event = await page.event()
        assert (name, event["method"], event["status"]) == ("wire", "sendMessage", None)


async def test_the_tree_is_told_within_a_second_and_only_when_it_changed(
    chat: FakeChat, wire: FakeWire, autojump_clock: MockClock
) -> None:
    state = "running"

    def tree() -> dict[str, Any]:
        child = {"name": "metrics", "state": state, "uptime_s": trio.current_time()}
        return {"name": "trt", "uptime_s": trio.current_time(), "children": (child,)}

    async with EventStream(chat, wire, tree) as stream:
        page = Reader(stream)
        await page.opened()
        with pytest.raises(trio.TooSlowError):
            await page.chunk(timeout_s=KEEP_ALIVE_S - 2)
        state = "failed"
        name, event = await page.event(timeout_s=1.1)
        assert name == "tree"
        assert event == {"name": "trt", "children": [{"name": "metrics", "state": "failed"}]}


async def test_a_quiet_stream_stays_alive(
    chat: FakeChat, wire: FakeWire, autojump_clock: MockClock
) -> None:
    async with EventStream(chat, wire, dict) as stream:
        page = Reader(stream)
        await page.opened()
        for _ in range(3):
            assert (await page.chunk(timeout_s=KEEP_ALIVE_S + 1)).startswith(b":")


async def test_nobody_is_listened_to_when_no_page_is_open(
    chat: FakeChat, wire: FakeWire, autojump_clock: MockClock
) -> None:
    looks = 0

    def tree() -> dict[str, Any]:
        nonlocal looks
        looks += 1
        return {}

    async with EventStream(chat, wire, tree) as stream:
        await Reader(stream).opened()
        assert len(chat.listeners.channels) == len(wire.listeners.channels) == 1
    assert chat.listeners.channels == wire.listeners.channels == []
    looks_while_open = looks
    await trio.sleep(60)
    assert looks == looks_while_open


async def test_closing_the_page_ends_its_stream_and_nothing_else_does(
    chat: FakeChat, wire: FakeWire, autojump_clock: MockClock
) -> None:
    app = page_server(chat, wire, lambda: {"name": "trt"})
    said = bytearray()
    to_app, received = trio.open_memory_channel[Any](2)

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        said.extend(message.get("body", b""))

    with trio.fail_after(1200):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(app, http_scope("/api/events"), received.receive, send)
            await to_app.send({"type": "http.request", "body": b"", "more_body": False})
            # Longer than an ordinary response may take.
            await trio.sleep(600)
            assert b"event: tree" in said
            chat.put(html="late")
            await trio.sleep(1)
            assert b'"html":"late"' in said
            await to_app.send({"type": "http.disconnect"})
    assert chat.listeners.channels == []


def http_scope(path: str) -> Any:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost:8080")],
        "extensions": {},
        "state": {},
    }
