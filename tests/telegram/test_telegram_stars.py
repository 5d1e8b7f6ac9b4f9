"""The calls about money: what goes out, and every way in which they end."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.telegram.answers import MESSAGE, error, ok, refused
from tests.wire import Wire
from trt.domain.ids import ChatId, MessageId, UserId
from trt.domain.inputs import ChargeId, PreCheckoutId
from trt.domain.replies import Button
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnavailable
from trt.telegram.outcomes import (
    AlreadyRefunded,
    Blocked,
    CallbackExpired,
    Direction,
    Done,
    LinkMade,
    OutcomeUnknown,
    RateLimited,
    Refunded,
    Rejected,
    Sent,
    StarTransaction,
)
from trt.telegram.stars import Invoice

CHAT = ChatId(7)
ANNA = UserId(7)
CHARGE = ChargeId("stx1")
OFFER: dict[str, Any] = {
    "title": "Пакет",
    "description": "100 ₽ на баланс",
    "payload": "order-1",
    "price_stars": 50,
}
INVOICE = Invoice(**OFFER)
SAID = {
    "title": "Пакет",
    "description": "100 ₽ на баланс",
    "payload": "order-1",
    "provider_token": "",
    "currency": "XTR",
    "prices": [{"label": "Пакет", "amount": 50}],
}


async def test_an_invoice_begins_with_its_pay_button(telegram: TelegramClient, wire: Wire) -> None:
    wire.says(200, MESSAGE)
    menu = ((Button(text="Меню", data="main_menu"),),)
    sent = await telegram.stars.send_invoice(CHAT, INVOICE, "Заплатить ⭐50", menu)
    assert sent == Sent(MessageId(55))
    assert wire.method == "sendInvoice"
    assert wire.arguments == SAID | {
        "chat_id": 7,
        "reply_markup": {
            "inline_keyboard": [
                [{"text": "Заплатить ⭐50", "pay": True}],
                [{"text": "Меню", "callback_data": "main_menu"}],
            ]
        },
    }
    single = Invoice(**OFFER, start_parameter="topup")
    await telegram.stars.send_invoice(CHAT, single, "⭐50")
    assert wire.arguments["start_parameter"] == "topup"


async def test_a_link_is_made(telegram: TelegramClient, wire: Wire) -> None:
    wire.says(200, ok("https://t.me/$abc"))
    assert await telegram.stars.create_invoice_link(INVOICE) == LinkMade("https://t.me/$abc")
    assert wire.arguments == SAID
    wire.says(200, ok(5))
    assert type(await telegram.stars.create_invoice_link(INVOICE)) is OutcomeUnknown


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""},
        {"title": "x" * 33},
        {"description": ""},
        {"description": "x" * 256},
        {"payload": ""},
        {"payload": "я" * 65},
        {"price_stars": 0},
        {"start_parameter": "a b"},
        {"start_parameter": "x" * 65},
    ],
)
def test_an_invoice_that_telegram_would_refuse_is_not_made(change: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        Invoice(**(OFFER | change))


async def test_a_payment_may_go_on_or_is_refused_with_words(
    telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(200, ok(result=True))
    query = PreCheckoutId("438")
    assert await telegram.stars.answer_pre_checkout_query(query) == Done()
    assert wire.arguments == {"pre_checkout_query_id": "438", "ok": True}
    refusal = "Заказ устарел"
    assert await telegram.stars.answer_pre_checkout_query(query, refusal=refusal) == Done()
    assert wire.arguments == {
        "pre_checkout_query_id": "438",
        "ok": False,
        "error_message": "Заказ устарел",
    }
    with pytest.raises(AssertionError):
        await telegram.stars.answer_pre_checkout_query(query, refusal="")


async def test_a_late_answer_is_known_as_such(telegram: TelegramClient, wire: Wire) -> None:
    wire.says(400, refused("query is too old and response timeout expired or query ID is invalid"))
    outcome = await telegram.stars.answer_pre_checkout_query(PreCheckoutId("438"))
    assert type(outcome) is CallbackExpired


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, ok(result=True), Refunded),
        (400, refused("CHARGE_ALREADY_REFUNDED"), AlreadyRefunded),
        (400, refused("CHARGE_ID_EMPTY"), Rejected),
        (400, refused("USER_ID_INVALID"), Rejected),
        (400, refused("invalid user_id specified"), Rejected),
        (403, error(403, "Forbidden: bot was blocked by the user"), Blocked),
        (429, error(429, "Too Many Requests: retry after 5", retry_after=5), RateLimited),
        (502, b"<html>", OutcomeUnknown),
    ],
)
async def test_a_refund_ends_in_one_of_few_ways(
    status: int, body: object, outcome: type, telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(status, body)
    assert type(await telegram.stars.refund_star_payment(ANNA, CHARGE)) is outcome
    assert wire.arguments == {"user_id": 7, "telegram_payment_charge_id": "stx1"}


async def test_a_refund_whose_answer_is_lost_is_unknown(
    telegram: TelegramClient, wire: Wire
) -> None:
    wire.breaks(httpx.ReadError)
    assert type(await telegram.stars.refund_star_payment(ANNA, CHARGE)) is OutcomeUnknown
    wire.breaks(httpx.ConnectError)
    with pytest.raises(TelegramUnavailable):
        await telegram.stars.refund_star_payment(ANNA, CHARGE)


USER = {"id": 7, "is_bot": False, "first_name": "Аня"}
BUYER = {
    "type": "user",
    "transaction_type": "invoice_payment",
    "user": USER,
    "invoice_payload": "order-1",
}


def line(**changes: Any) -> StarTransaction:
    fields: dict[str, Any] = {
        "charge_id": CHARGE,
        "direction": Direction.IN,
        "amount_stars": 50,
        "at": datetime(1970, 1, 1, 0, 1, tzinfo=UTC),
        "kind": "invoice_payment",
        "user_id": ANNA,
        "payload": "order-1",
    }
    return StarTransaction(**(fields | changes))


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ({"source": BUYER}, line()),
        ({"receiver": BUYER}, line(direction=Direction.OUT)),
        (
            {"receiver": {"type": "fragment", "withdrawal_state": {"type": "pending"}}},
            line(direction=Direction.OUT, kind="fragment", user_id=None, payload=None),
        ),
        (
            {"source": {"type": "affiliate_program", "commission_per_mille": 5}},
            line(kind="affiliate_program", user_id=None, payload=None),
        ),
        (
            {"receiver": {"type": "of next year", "user": USER}},
            line(direction=Direction.OUT, kind="of next year", payload=None),
        ),
        ({}, line(direction=Direction.OUT, kind="other", user_id=None, payload=None)),
    ],
)
async def test_every_line_of_the_account_is_read(
    sides: dict[str, Any], expected: StarTransaction, telegram: TelegramClient, wire: Wire
) -> None:
    row = {"id": "stx1", "amount": 50, "nanostar_amount": 0, "date": 60} | sides
    wire.says(200, ok({"transactions": [row]}))
    assert await telegram.stars.get_star_transactions(10, 20) == (expected,)
    assert wire.arguments == {"offset": 10, "limit": 20}


async def test_the_balance_may_be_a_debt(telegram: TelegramClient, wire: Wire) -> None:
    wire.says(200, ok({"amount": -3, "nanostar_amount": 0}))
    assert await telegram.stars.get_my_star_balance() == -3


@pytest.mark.parametrize("body", [ok({}), ok([]), refused("nothing"), b"<html>"])
async def test_an_account_that_cannot_be_read_is_asked_again(
    body: object, telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(200, body)
    with pytest.raises(TelegramUnavailable):
        await telegram.stars.get_star_transactions()
    with pytest.raises(TelegramUnavailable):
        await telegram.stars.get_my_star_balance()
