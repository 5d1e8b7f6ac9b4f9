"""What the page shows, scripted by a test."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import attrs
import trio
from typing_extensions import override

from trt.sandbox.page_source import (
    Bot,
    Change,
    ChatSource,
    MessageShown,
    PageButton,
    PageFile,
    PageInvoice,
    PageMessage,
    PageWireEntry,
    Person,
    TapAnswered,
    WireSource,
)

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
ANNA = Person(id=1, name="Анна", language="ru")
KATE = Person(id=2, name="Kate", language="en")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c63f8cfc0f01f00050001ff56c72f0d0000000049454e44ae426082"
)


class Listeners:
    """Who hears of changes now."""

    def __init__(self) -> None:
        self.channels: list[trio.MemorySendChannel[Any]] = []

    def tell(self, item: object) -> None:
        for channel in self.channels:
            channel.send_nowait(item)

    @contextmanager
    def subscribe(self) -> Iterator[trio.MemoryReceiveChannel[Any]]:
        put, take = trio.open_memory_channel[Any](100)
        self.channels.append(put)
        try:
            yield take
        finally:
            self.channels.remove(put)
            put.close()
            take.close()


class FakeChat(ChatSource):
    def __init__(self) -> None:
        self.listeners = Listeners()
        self.chats: dict[int, list[PageMessage]] = {ANNA.id: [], KATE.id: []}
        self.taps: list[tuple[int, int, str]] = []
        self.payments: list[tuple[int, int]] = []
        self.files = {"pic": PageFile(content=PNG, media_type="image/png")}

    @override
    def bot(self) -> Bot:
        return Bot(name="TRT", username="trt_bot")

    @override
    def people(self) -> Sequence[Person]:
        return [ANNA, KATE]

    @override
    def messages(self, user_id: int) -> Sequence[PageMessage]:
        return list(self.chats[user_id])

    @override
    def send(self, user_id: int, text: str) -> None:
        self.put(user_id, html=escape(text), is_from_bot=False)

    @override
    def tap(self, user_id: int, message_id: int, data: str) -> bool:
        for message in self.chats[user_id]:
            for row in message.keyboard:
                if message.id == message_id and any(one.data == data for one in row):
                    self.taps.append((user_id, message_id, data))
                    return True
        return False

    @override
    def pay(self, user_id: int, message_id: int) -> bool:
        for message in self.chats[user_id]:
            if message.id == message_id and message.invoice is not None:
                self.payments.append((user_id, message_id))
                return True
        return False

    @override
    def file(self, file_id: str) -> PageFile | None:
        return self.files.get(file_id)

    @override
    @contextmanager
    def subscribe(self) -> Iterator[AsyncIterator[Change]]:
        with self.listeners.subscribe() as changes:
            yield changes

    # What the script does

    def put(
        self,
        user_id: int = ANNA.id,
        *,
        html: str,
        is_from_bot: bool = True,
        buttons: Sequence[str] = (),
        file_id: str | None = None,
        price_stars: int | None = None,
    ) -> PageMessage:
        chat = self.chats[user_id]
        message = PageMessage(
            id=len(chat) + 1,
            is_from_bot=is_from_bot,
            kind="photo" if file_id else "text",
            html=html,
            file_id=file_id,
            keyboard=[[PageButton(text=name, data=name)] for name in buttons],
            invoice=None
            if price_stars is None
            else PageInvoice(title=html, description="", price_stars=price_stars),
            sent_at=NOON + timedelta(seconds=len(chat)),
        )
        chat.append(message)
        self.listeners.tell(MessageShown(user_id=user_id, message=message))
        return message

    def edit(self, message: PageMessage, html: str, user_id: int = ANNA.id) -> None:
        edited = attrs.evolve(message, html=html, edits=message.edits + 1)
        self.chats[user_id][message.id - 1] = edited
        self.listeners.tell(MessageShown(user_id=user_id, message=edited))

    def answer(self, tap: tuple[int, int, str], text: str, *, is_alert: bool = False) -> None:
        user_id, message_id, data = tap
        self.listeners.tell(
            TapAnswered(
                user_id=user_id, message_id=message_id, data=data, text=text, is_alert=is_alert
            )
        )


class FakeWire(WireSource):
    def __init__(self) -> None:
        self.listeners = Listeners()
        self.entries: list[PageWireEntry] = []

    @override
    def recent(self) -> Sequence[PageWireEntry]:
        return list(self.entries)

    @override
    @contextmanager
    def subscribe(self) -> Iterator[AsyncIterator[PageWireEntry]]:
        with self.listeners.subscribe() as entries:
            yield entries

    def put(self, method: str, status: int | None = 200) -> None:
        entry = PageWireEntry(
            at=NOON,
            direction="out",
            service="Telegram",
            method=method,
            status=status,
            duration_s=0.012,
        )
        self.entries.append(entry)
        self.listeners.tell(entry)
