"""Reading what Telegram says about money: for the priority lane at once, for the till in full."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.telegram.test_telegram_updates import CHAT, JSON, USER, message, tap, update
from trt.domain.ids import ChatId, UserId
from trt.domain.inputs import (
    ChargeId,
    PaymentReceived,
    PaymentRefunded,
    Person,
    PreCheckout,
    PreCheckoutId,
)
from trt.telegram.payments import read_payment
from trt.telegram.updates import Unsupported, Update, parse_update, read_event

ANNA = Person(user_id=UserId(7), chat_id=ChatId(7), first_name="Аня", language_code="ru")
BOT = {"id": 99, "is_bot": True, "first_name": "TRT"}
PAYMENT = {
    "currency": "XTR",
    "total_amount": 50,
    "invoice_payload": "order-1",
    "telegram_payment_charge_id": "stx1",
    "provider_payment_charge_id": "p1",
}


def pre_checkout(**changes: Any) -> bytes:
    query = {
        "id": "438",
        "from": USER,
        "currency": "XTR",
        "total_amount": 50,
        "invoice_payload": "order-1",
    }
    return update("pre_checkout_query", **{**query, **changes})


def refund(**changes: Any) -> bytes:
    content = {"message_id": 9, "date": 1, "from": BOT, "chat": CHAT, "refunded_payment": PAYMENT}
    return update("message", **{**content, **changes})


@pytest.mark.parametrize(
    ("body", "kind", "query_id"),
    [
        (pre_checkout(), "pre_checkout_query", "438"),
        (message(successful_payment=PAYMENT), "successful_payment", None),
        (refund(), "refunded_payment", None),
    ],
)
def test_the_envelope_says_what_is_about_money_and_whose(
    body: bytes, kind: str, query_id: str | None
) -> None:
    read = parse_update(body)
    assert isinstance(read, Update)
    assert read.is_payment
    assert (read.kind, read.pre_checkout_id, read.user_id) == (kind, query_id, 7)
    assert read.callback_id is None


@pytest.mark.parametrize("body", [message(text="successful_payment"), tap()])
def test_what_is_not_about_money_waits_its_turn(body: bytes) -> None:
    read = parse_update(body)
    assert isinstance(read, Update)
    assert not read.is_payment
    assert read.pre_checkout_id is None


def test_a_pre_checkout_is_read() -> None:
    assert read_payment(pre_checkout()) == (
        ANNA,
        PreCheckout(
            query_id=PreCheckoutId("438"), currency="XTR", total_stars=50, payload="order-1"
        ),
    )


def test_a_payment_is_read_with_both_of_its_ids() -> None:
    assert read_payment(message(successful_payment=PAYMENT)) == (
        ANNA,
        PaymentReceived(
            currency="XTR",
            total_stars=50,
            payload="order-1",
            telegram_payment_charge_id=ChargeId("stx1"),
            provider_payment_charge_id="p1",
        ),
    )


def test_a_refund_is_the_users_although_the_bot_says_it() -> None:
    without_provider = {k: v for k, v in PAYMENT.items() if not k.startswith("provider")}
    read = read_payment(refund(refunded_payment=without_provider))
    assert not isinstance(read, Unsupported)
    person, event = read
    assert (person.user_id, person.chat_id, person.first_name) == (7, 7, "")
    assert event == PaymentRefunded(
        currency="XTR",
        total_stars=50,
        payload="order-1",
        telegram_payment_charge_id=ChargeId("stx1"),
        provider_payment_charge_id="",
    )


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (message(text="x"), "message"),
        (tap(), "callback_query"),
        (refund(chat={"id": -5, "type": "group"}), "refunded_payment"),
        (pre_checkout(total_amount="50"), "pre_checkout_query"),
        (message(successful_payment={"currency": "XTR"}), "successful_payment"),
        (b"not json", "unknown"),
    ],
)
def test_what_cannot_be_a_payment_says_what_it_was(body: bytes, kind: str) -> None:
    assert read_payment(body) == Unsupported(kind)


@pytest.mark.parametrize("body", [pre_checkout(), refund(), message(successful_payment=PAYMENT)])
def test_money_is_no_business_of_a_conversation(body: bytes) -> None:
    assert isinstance(read_event(body), Unsupported)


@given(part=JSON, kind=st.sampled_from(["message", "pre_checkout_query"]))
def test_no_update_breaks_the_till(part: object, kind: str) -> None:
    read_payment(json.dumps({"update_id": 5, kind: part}).encode(errors="replace"))
