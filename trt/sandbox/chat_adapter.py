"""The pretended Telegram and its wire log, as the sandbox page wants to see them."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import Generic, Literal, Self, TypeVar, assert_never

import trio
from attrs import frozen
from quart_trio import QuartTrio
from typing_extensions import override

from trt.sandbox import telegram_chat as fake
from trt.sandbox.page_server import page_server
from trt.sandbox.page_source import (
    ActionShown,
    Bot,
    Change,
    ChatSource,
    CheckoutEnded,
    MessageGone,
    MessageShown,
    PageButton,
    PageFile,
    PageInvoice,
    PageMessage,
    PageWireEntry,
    Person,
    StarsChanged,
    TapAnswered,
    TreeView,
    WireSource,
)
from trt.sandbox.telegram_server import FIRST_USER_ID, FakeTelegram
from trt.sandbox.telegram_stars import STARS, Checkout, CheckoutState, FakeInvoice
from trt.sandbox.telegram_user import FakeUser, NotSeen
from trt.sandbox.wire_log import Direction, Service, WireEntry, WireLog

PREPARED = (("Анна", "ru"), ("Борис", "ru"), ("Kate", "en"))
"""First name and language of the people that a page offers to be."""

BOT = Bot(name="TRT", username="trt_sandbox_bot")

_Kind = Literal["text", "photo", "video", "audio", "document", "invoice", "notice"]
_KINDS: Mapping[str, _Kind] = {
    "photo": "photo",
    "video": "video",
    "animation": "video",
    "audio": "audio",
    "voice": "audio",
    "document": "document",
    "sticker": "document",
    "invoice": "invoice",
    "successful_payment": "notice",
    "refunded_payment": "notice",
}
_TOLD = {"successful_payment": "Вы заплатили", "refunded_payment": "Вам вернули"}
_SERVICES = {Service.TELEGRAM: "Telegram", Service.KIE: "KIE"}


def page_app(telegram: FakeTelegram, wire: WireLog, tree: Callable[[], TreeView]) -> QuartTrio:
    """Return the page of a pretended Telegram; prepares the people to chat as.

    Args:
        telegram: who holds the chats.
        wire: the log that the fakes write.
        tree: a fresh JSON-able snapshot of the supervision tree with its `channels`.
    """
    users = tuple(
        telegram.user(FIRST_USER_ID + number, name, language)
        for number, (name, language) in enumerate(PREPARED)
    )
    return page_server(TelegramChat(telegram, users), SandboxWire(wire), tree)


@frozen
class TelegramChat(ChatSource):
    """The chats of the prepared people."""

    _telegram: FakeTelegram
    _users: Sequence[FakeUser]

    @override
    def bot(self) -> Bot:
        return BOT

    @override
    def people(self) -> Sequence[Person]:
        return [
            Person(
                id=user.user_id,
                name=user.person.first_name,
                language=user.person.language_code,
                stars=user.stars,
            )
            for user in self._users
        ]

    @override
    def messages(self, user_id: int) -> Sequence[PageMessage]:
        return [page_message(message) for message in self._user(user_id).messages]

    @override
    def send(self, user_id: int, text: str) -> None:
        self._user(user_id).send(text)

    @override
    def tap(self, user_id: int, message_id: int, data: str) -> bool:
        user = self._user(user_id)
        message = user.chat.find(message_id)
        if message is None or data not in {button.data for button in message.buttons}:
            return False
        user.tap_data(data, message)
        return True

    @override
    def pay(self, user_id: int, message_id: int) -> bool:
        user = self._user(user_id)
        message = user.chat.find(message_id)
        if message is None:
            return False
        try:
            user.pay(message)
        except NotSeen:
            return False
        return True

    @override
    def file(self, file_id: str) -> PageFile | None:
        file = self._telegram.file(file_id)
        if file is None:
            return None
        return PageFile(content=file.data, media_type=file.content_type)

    @override
    @contextmanager
    def subscribe(self) -> Iterator[AsyncIterator[Change]]:
        with self._telegram.subscribe() as changes:
            yield _Translated(changes, page_change)

    def _user(self, user_id: int) -> FakeUser:
        return next(user for user in self._users if user.user_id == user_id)


@frozen
class SandboxWire(WireSource):
    """The wire log of all fakes."""

    _log: WireLog

    @override
    def recent(self) -> Sequence[PageWireEntry]:
        return [page_wire_entry(entry) for entry in self._log.entries]

    @override
    @contextmanager
    def subscribe(self) -> Iterator[AsyncIterator[PageWireEntry]]:
        with self._log.subscribe() as entries:
            yield _Translated(entries, page_wire_entry)


def page_message(message: fake.FakeMessage) -> PageMessage:
    """Return a message as it looks now."""
    return PageMessage(
        id=message.message_id,
        is_from_bot=message.is_from_bot,
        kind=_KINDS.get(message.kind, "text"),
        html=_html(message),
        file_id=message.file.file_id if message.file else None,
        file_name=message.file.name if message.file else None,
        keyboard=tuple(
            tuple(
                PageButton(text=one.text, data=one.data, url=one.url, is_pay=one.is_pay)
                for one in row
            )
            for row in message.keyboard
        ),
        invoice=_invoice(message.invoice),
        edits=message.edits,
        sent_at=message.sent_at,
    )


def _html(message: fake.FakeMessage) -> str:
    if message.service is not None:
        amount, currency = message.service["total_amount"], message.service["currency"]
        return f"{_TOLD[message.kind]} {'⭐' if currency == STARS else currency} {amount}"
    if message.invoice is not None:
        title, about = escape(message.invoice.title), escape(message.invoice.description)
        return f"<b>{title}</b>\n{about}"
    return message.html or escape(message.text)


def _invoice(invoice: FakeInvoice | None) -> PageInvoice | None:
    if invoice is None:
        return None
    return PageInvoice(
        title=invoice.title, description=invoice.description, price_stars=invoice.price_stars
    )


def page_wire_entry(entry: WireEntry) -> PageWireEntry:
    """Return an entry of the log in the page's words."""
    return PageWireEntry(
        at=entry.at,
        direction="in" if entry.direction is Direction.TO_BOT else "out",
        service=_SERVICES[entry.service],
        method=entry.what,
        status=entry.status,
        duration_s=entry.duration_s,
        summary=entry.summary,
    )


def page_change(change: fake.ChatChange) -> Change | None:
    """Return what the page has to do; `None` for what it knows already."""
    match change:
        case fake.MessageAdded(message=message) | fake.MessageEdited(message=message):
            return MessageShown(user_id=message.chat_id, message=page_message(message))
        case fake.MessageDeleted(message=message):
            return MessageGone(user_id=message.chat_id, message_id=message.message_id)
        case fake.TapAnswered(tap=tap, answer=answer):
            return TapAnswered(
                user_id=tap.user_id,
                message_id=tap.message_id,
                data=tap.data,
                text=answer.text,
                is_alert=answer.is_alert,
            )
        case fake.ChatActionShown(chat_id=chat_id, action=action):
            return ActionShown(user_id=chat_id, action=action)
        case fake.WalletChanged(user_id=user_id, stars=stars):
            return StarsChanged(user_id=user_id, stars=stars)
        case fake.CheckoutEnded(checkout=checkout):
            return _checkout_ended(checkout)
        case fake.TapMade():
            return None
        case _:
            assert_never(change)


def _checkout_ended(checkout: Checkout) -> CheckoutEnded | None:
    match checkout.state:
        case CheckoutState.PAID:
            text = f"Оплачено: ⭐ {checkout.invoice.price_stars}"
        case CheckoutState.DECLINED:
            text = checkout.refusal
        case CheckoutState.TIMED_OUT:
            text = "Бот не ответил вовремя, звёзды не списаны"
        case CheckoutState.BROKE:
            text = "Не хватило звёзд"
        case CheckoutState.WAITING | CheckoutState.GIVEN_UP:
            return None
        case _:
            assert_never(checkout.state)
    is_alert = checkout.state is CheckoutState.DECLINED
    return CheckoutEnded(user_id=checkout.user_id, text=text, is_alert=is_alert)


_Told = TypeVar("_Told")
_Shown = TypeVar("_Shown")


@frozen
class _Translated(Generic[_Told, _Shown]):
    """A channel whose items come out in the page's words; what has none is passed over.

    Not an async generator: a page may go away between two items, and nobody would close it.
    """

    _channel: trio.MemoryReceiveChannel[_Told]
    _translate: Callable[[_Told], _Shown | None]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Shown:
        async for told in self._channel:
            shown = self._translate(told)
            if shown is not None:
                return shown
        raise StopAsyncIteration
