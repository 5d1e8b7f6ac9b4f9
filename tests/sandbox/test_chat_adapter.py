"""The page on top of the pretended Telegram: the same chat, seen by both."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import trio
from trio.testing import MockClock
from typing_extensions import override

from tests.sandbox.fake_chat import PNG
from trt.sandbox import telegram_chat as fake
from trt.sandbox.chat_adapter import (
    PREPARED,
    SandboxWire,
    TelegramChat,
    page_app,
    page_change,
    page_message,
)
from trt.sandbox.page_source import (
    ActionShown,
    CheckoutEnded,
    MessageGone,
    MessageShown,
    PageInvoice,
    StarsChanged,
    TapAnswered,
)
from trt.sandbox.telegram_chat import (
    ChatActionShown,
    FakeButton,
    FakeMessage,
    MessageDeleted,
)
from trt.sandbox.telegram_server import FakeTelegram
from trt.sandbox.telegram_stars import CheckoutState
from trt.sandbox.wire_log import Direction, Service, WireLog
from trt.sources import Sources

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
TOKEN = "42:secret"


class SeededSources(Sources):
    def __init__(self) -> None:
        self._random = random.Random(1)

    @override
    def now(self) -> datetime:
        return NOON + timedelta(seconds=trio.current_time())

    @override
    def random(self) -> random.Random:
        return self._random

    @override
    def token(self, length: int) -> str:
        return f"{self._random.getrandbits(length * 4):0{length}x}"


class World:
    """A pretended Telegram, a bot that calls it, and the page's view of it."""

    def __init__(self, nowhere: httpx.AsyncClient) -> None:
        self.wire = WireLog()
        self.telegram = FakeTelegram(SeededSources(), token=TOKEN, http=nowhere, wire=self.wire)
        self.app = page_app(self.telegram, self.wire, dict)
        self.chat = TelegramChat(self.telegram, self.telegram.users)
        self.anna = self.telegram.users[0]

    async def call(self, method: str, **arguments: object) -> None:
        transport = httpx.ASGITransport(self.telegram.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://telegram") as bot:
            answer = await bot.post(f"/bot{TOKEN}/{method}", json=arguments)
        assert answer.status_code == 200, answer.text


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with httpx.AsyncClient() as nowhere:
        yield World(nowhere)


async def test_the_prepared_people_are_those_of_telegram(world: World) -> None:
    people = world.chat.people()
    assert [(person.name, person.language) for person in people] == list(PREPARED)
    assert [person.id for person in people] == [user.user_id for user in world.telegram.users]


async def test_what_is_written_on_the_page_reaches_telegram(world: World) -> None:
    response = await world.app.test_client().post(
        "/api/send",
        json={"user": world.anna.user_id, "text": "a < b & c"},
        headers={"Host": "localhost"},
    )
    assert response.status_code == 200
    assert [message.text for message in world.anna.messages] == ["a < b & c"]
    (shown,) = world.chat.messages(world.anna.user_id)
    assert shown.html == "a &lt; b &amp; c"
    assert not shown.is_from_bot


async def test_what_the_bot_says_is_told_to_the_page_with_its_buttons(
    world: World, autojump_clock: MockClock
) -> None:
    user_id = world.anna.user_id
    world.anna.send("/start")
    with world.chat.subscribe() as changes, trio.fail_after(5):
        await world.call(
            "sendMessage",
            chat_id=user_id,
            text="<b>Привет</b>",
            parse_mode="HTML",
            reply_markup={"inline_keyboard": [[{"text": "🖼", "callback_data": "cat:image"}]]},
        )
        told = await anext(changes)
        assert isinstance(told, MessageShown)
        assert told.message.html == "<b>Привет</b>"
        assert told.message.keyboard[0][0].data == "cat:image"
        await world.call(
            "editMessageText", chat_id=user_id, message_id=told.message.id, text="Готово"
        )
        edited = await anext(changes)
        assert isinstance(edited, MessageShown)
        assert (edited.message.id, edited.message.edits) == (told.message.id, 1)


async def test_a_tap_on_the_page_is_a_tap_until_it_is_answered(
    world: World, autojump_clock: MockClock
) -> None:
    user_id = world.anna.user_id
    world.anna.send("/start")
    await world.call(
        "sendMessage",
        chat_id=user_id,
        text="Выберите",
        reply_markup={"inline_keyboard": [[{"text": "🖼", "callback_data": "cat:image"}]]},
    )
    message_id = world.anna.last.message_id
    with world.chat.subscribe() as changes, trio.fail_after(5):
        assert world.chat.tap(user_id, message_id, "cat:image")
        (query,) = [
            update.body["callback_query"]
            for update in world.telegram.pending
            if update.kind == "callback_query"
        ]
        await world.call(
            "answerCallbackQuery", callback_query_id=query["id"], text="Скоро", show_alert=True
        )
        assert await anext(changes) == TapAnswered(
            user_id=user_id, message_id=message_id, data="cat:image", text="Скоро", is_alert=True
        )


OFFER = {
    "title": "Пакет <b>",
    "description": "100 ₽",
    "payload": "order-1",
    "provider_token": "",
    "currency": "XTR",
    "prices": [{"label": "Пакет", "amount": 50}],
}


async def test_an_invoice_is_paid_on_the_page(world: World, autojump_clock: MockClock) -> None:
    user_id = world.anna.user_id
    world.anna.send("/start")
    await world.call("sendInvoice", chat_id=user_id, **OFFER)
    shown = world.chat.messages(user_id)[-1]
    assert (shown.kind, shown.html) == ("invoice", "<b>Пакет &lt;b&gt;</b>\n100 ₽")
    assert shown.invoice == PageInvoice(title="Пакет <b>", description="100 ₽", price_stars=50)
    assert shown.keyboard[0][0].is_pay
    assert not world.chat.pay(user_id, 1)
    assert not world.chat.pay(user_id, 99)
    with world.chat.subscribe() as changes, trio.fail_after(5):
        assert world.chat.pay(user_id, shown.id)
        query = world.telegram.pending[-1].body["pre_checkout_query"]
        await world.call("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=True)
        stars = world.anna.stars
        assert await anext(changes) == StarsChanged(user_id=user_id, stars=stars)
        told = await anext(changes)
        assert isinstance(told, MessageShown)
        assert (told.message.kind, told.message.html) == ("notice", "Вы заплатили ⭐ 50")
        end = CheckoutEnded(user_id=user_id, text="Оплачено: ⭐ 50", is_alert=False)
        assert await anext(changes) == end
    assert world.chat.people()[0].stars == stars
    world.anna.stars = 49
    assert not world.chat.pay(user_id, shown.id)


@pytest.mark.parametrize(
    ("state", "text", "is_alert"),
    [
        (CheckoutState.DECLINED, "Заказ устарел", True),
        (CheckoutState.TIMED_OUT, "Бот не ответил вовремя, звёзды не списаны", False),
        (CheckoutState.BROKE, "Не хватило звёзд", False),
        (CheckoutState.WAITING, None, False),
        (CheckoutState.GIVEN_UP, None, False),
    ],
)
async def test_every_end_of_a_payment_has_its_words(
    world: World, state: CheckoutState, text: str | None, is_alert: bool
) -> None:
    checkout = world.anna.pre_checkout("order-1", 50)
    checkout.state, checkout.refusal = state, "Заказ устарел"
    ended = page_change(fake.CheckoutEnded(checkout=checkout))
    if text is None:
        assert ended is None
    else:
        assert ended == CheckoutEnded(user_id=world.anna.user_id, text=text, is_alert=is_alert)


async def test_a_refund_is_shown(world: World) -> None:
    world.anna.pay_out_of_the_blue("order-1", 50, charge_id="stx1")
    world.telegram.till.refund_from_outside("stx1")
    assert world.chat.messages(world.anna.user_id)[-1].html == "Вам вернули ⭐ 50"


async def test_a_button_that_is_not_there_cannot_be_tapped(world: World) -> None:
    world.anna.send("/start")
    message_id = world.anna.messages[0].message_id
    assert not world.chat.tap(world.anna.user_id, message_id, "cat:image")
    assert not world.chat.tap(world.anna.user_id, 999, "cat:image")
    # A link has no data; asking for "no data" must not find it.
    world.anna.messages[0].keyboard = ((FakeButton(text="site", url="https://example.org"),),)
    assert not world.chat.tap(world.anna.user_id, message_id, "site")


async def test_the_other_changes_have_their_words() -> None:
    message = FakeMessage(message_id=3, chat_id=7, is_from_bot=True, kind="voice", sent_at=NOON)
    assert page_message(message).kind == "audio"
    assert page_change(MessageDeleted(message=message)) == MessageGone(user_id=7, message_id=3)
    shown = page_change(ChatActionShown(chat_id=7, action="typing"))
    assert shown == ActionShown(user_id=7, action="typing")


async def test_a_photo_of_the_chat_can_be_fetched_by_its_file_id(world: World) -> None:
    world.anna.send_document(PNG, "a.png")
    (message,) = world.chat.messages(world.anna.user_id)
    assert (message.kind, message.file_name) == ("document", "a.png")
    assert message.file_id is not None
    file = world.chat.file(message.file_id)
    assert file is not None
    assert file.content == PNG
    assert world.chat.file("none") is None


async def test_the_wire_log_is_told_in_the_page_s_words(
    world: World, autojump_clock: MockClock
) -> None:
    wire = SandboxWire(world.wire)
    with wire.subscribe() as entries, trio.fail_after(5):
        world.wire.record(
            at=NOON,
            direction=Direction.TO_BOT,
            service=Service.KIE,
            what="callback",
            status=None,
            duration_s=0.2,
        )
        told = await anext(entries)
    assert (told.direction, told.service, told.method, told.status) == (
        "in",
        "KIE",
        "callback",
        None,
    )
    assert list(wire.recent()) == [told]
