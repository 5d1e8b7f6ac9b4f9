"""Payments in Stars: what Telegram asks, takes, tells and gives back."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.sandbox.in_process import Outside, outside
from trt.sandbox.telegram_chat import FakeMessage
from trt.sandbox.telegram_rates import NO_LIMITS
from trt.sandbox.telegram_stars import WALLET_STARS, CheckoutState
from trt.sandbox.telegram_user import FakeUser, NotSeen

TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"
OFFER: dict[str, Any] = {
    "title": "50 звёзд",
    "description": "Пакет на 100 ₽",
    "payload": "order-1",
    "provider_token": "",
    "currency": "XTR",
    "prices": [{"label": "Пакет", "amount": 50}],
}
PAY = {"text": "Заплатить ⭐50", "pay": True}
MENU = {"text": "Меню", "callback_data": "main_menu"}


async def invoice(out: Outside, user: FakeUser, **more: Any) -> FakeMessage:
    await out.result("sendInvoice", **(OFFER | {"chat_id": user.user_id} | more))
    return user.last


async def buy(out: Outside, user: FakeUser, what: FakeMessage | str | None = None) -> str:
    """Pay and let the bot agree; return the charge id."""
    checkout = user.pay(what)
    await out.result("answerPreCheckoutQuery", pre_checkout_query_id=checkout.query_id, ok=True)
    assert user.state(checkout) is CheckoutState.PAID
    assert checkout.charge_id is not None
    return checkout.charge_id


async def rows(out: Outside, **arguments: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await out.result("getStarTransactions", **arguments))[
        "transactions"
    ]
    return found


async def test_a_payment_goes_from_the_button_to_the_account(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        message = await invoice(out, user)
        assert message.buttons[0].is_pay
        checkout = user.pay()
        query = out.telegram.update(checkout.update_id).body["pre_checkout_query"]
        assert query == {
            "id": checkout.query_id,
            "from": query["from"],
            "currency": "XTR",
            "total_amount": 50,
            "invoice_payload": "order-1",
        }
        assert (user.stars, user.state(checkout)) == (WALLET_STARS, CheckoutState.WAITING)
        answer = {"pre_checkout_query_id": checkout.query_id, "ok": True}
        await out.result("answerPreCheckoutQuery", **answer)
        assert await user.wait_checkout(checkout) is CheckoutState.PAID
        assert user.stars == WALLET_STARS - 50
        assert checkout.payment_update_id is not None
        paid = out.telegram.update(checkout.payment_update_id).body["message"]
        assert paid["from"]["id"] == user.user_id
        assert paid["successful_payment"] == {
            "currency": "XTR",
            "total_amount": 50,
            "invoice_payload": "order-1",
            "telegram_payment_charge_id": checkout.charge_id,
            "provider_payment_charge_id": "",
        }
        [row] = await rows(out)
        assert (row["id"], row["amount"], "receiver" in row) == (checkout.charge_id, 50, False)
        assert row["source"]["transaction_type"] == "invoice_payment"
        assert row["source"]["invoice_payload"] == "order-1"
        assert await out.result("getMyStarBalance") == {"amount": 50}
        assert await out.refusal("answerPreCheckoutQuery", **answer) == (400, TOO_OLD)


async def test_the_bot_may_decline_with_words_for_the_payer(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        await invoice(out, user)
        checkout = user.pay()
        answer = {"pre_checkout_query_id": checkout.query_id, "ok": False}
        assert (await out.refusal("answerPreCheckoutQuery", **answer))[0] == 400
        assert user.state(checkout) is CheckoutState.WAITING
        await out.result("answerPreCheckoutQuery", **answer, error_message="Заказ устарел")
        assert (user.state(checkout), checkout.refusal) == (CheckoutState.DECLINED, "Заказ устарел")
        assert (user.stars, await rows(out)) == (WALLET_STARS, [])


@pytest.mark.parametrize(
    ("change", "description"),
    [
        ({"title": ""}, "parameter title is required"),
        ({"title": "x" * 33}, "title must have at most 32 characters"),
        ({"description": "x" * 256}, "description must have at most 255 characters"),
        ({"payload": "я" * 65}, "INVOICE_PAYLOAD_INVALID"),
        ({"payload": ""}, "INVOICE_PAYLOAD_INVALID"),
        ({"currency": "RUB"}, "PAYMENT_PROVIDER_INVALID"),
        ({"provider_token": "1:x"}, "PAYMENT_PROVIDER_INVALID"),
        ({"prices": []}, "there must be at least one price"),
        ({"prices": OFFER["prices"] * 2}, "STARS_INVOICE_INVALID"),
        ({"prices": [{"label": "x", "amount": 0}]}, "CURRENCY_TOTAL_AMOUNT_INVALID"),
        (
            {"prices": [{"label": "x", "amount": 1.5}]},
            "can't parse labeled price: amount must be a Number",
        ),
        (
            {"prices": [{"amount": 1}]},
            "can't parse labeled price: expected an Object with a label",
        ),
        ({"start_parameter": "a b"}, "START_PARAM_INVALID"),
        ({"reply_markup": {"inline_keyboard": [[MENU]]}}, "REPLY_MARKUP_BUY_EMPTY"),
        ({"reply_markup": {"inline_keyboard": [[MENU], [PAY]]}}, "BUTTON_POS_INVALID"),
        ({"reply_markup": {"inline_keyboard": [[PAY], [PAY]]}}, "BUTTON_POS_INVALID"),
    ],
)
async def test_an_invoice_that_breaks_a_rule_is_refused(
    autojump_clock: MockClock, change: dict[str, Any], description: str
) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        refusal = await out.refusal("sendInvoice", **(OFFER | {"chat_id": user.user_id} | change))
        assert refusal == (400, f"Bad Request: {description}")
        assert len(user.messages) == 1


async def test_only_an_invoice_has_a_pay_button(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, limits=NO_LIMITS) as out:
        user = out.started_user()
        markup = {"inline_keyboard": [[{"text": "XTR 50", "pay": True}], [MENU]]}
        chat = {"chat_id": user.user_id, "reply_markup": markup}
        refusal = await out.refusal("sendMessage", **chat, text="x")
        assert refusal == (400, "Bad Request: BUTTON_TYPE_INVALID")
        await out.result("sendMessage", chat_id=user.user_id, text="x")
        with pytest.raises(NotSeen):
            user.pay(user.last)
        message = await invoice(out, user, reply_markup=markup)
        assert [button.text for button in message.buttons] == ["⭐ 50", "Меню"]
        assert user.tap("main_menu").message_id == message.message_id
        edit = {"chat_id": user.user_id, "message_id": message.message_id}
        only_menu = {"inline_keyboard": [[MENU]]}
        refusal = await out.refusal("editMessageReplyMarkup", **edit, reply_markup=only_menu)
        assert refusal == (400, "Bad Request: REPLY_MARKUP_BUY_EMPTY")


async def test_who_has_too_few_stars_cannot_press_pay(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        await invoice(out, user)
        user.stars = 49
        with pytest.raises(NotSeen, match="49"):
            user.pay()
        user.stars = 50
        one, two = user.pay(), user.pay()
        for checkout in (one, two):
            query = {"pre_checkout_query_id": checkout.query_id, "ok": True}
            await out.result("answerPreCheckoutQuery", **query)
        assert (user.state(one), user.state(two)) == (CheckoutState.PAID, CheckoutState.BROKE)
        assert (user.stars, len(await rows(out))) == (0, 1)


async def test_an_invoice_link_can_be_paid_by_who_never_wrote(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        link = await out.result("createInvoiceLink", **OFFER)
        stranger = out.telegram.user()
        await buy(out, stranger, link)
        await buy(out, out.telegram.user(), link)
        assert len(await rows(out)) == 2
        await out.result("sendMessage", chat_id=stranger.user_id, text="Спасибо")
        with pytest.raises(NotSeen):
            stranger.pay("https://t.me/$nothing")


async def test_a_refund_goes_back_once_and_is_told(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user, other = out.started_user(), out.started_user()
        await invoice(out, user)
        charge = {"telegram_payment_charge_id": await buy(out, user)}
        for who, charge_id, description in (
            (other.user_id, charge["telegram_payment_charge_id"], "CHARGE_ID_INVALID"),
            (user.user_id, "stx", "CHARGE_ID_INVALID"),
            (user.user_id, "", "CHARGE_ID_EMPTY"),
            (5, charge["telegram_payment_charge_id"], "USER_ID_INVALID"),
        ):
            refusal = await out.refusal(
                "refundStarPayment", user_id=who, telegram_payment_charge_id=charge_id
            )
            assert refusal == (400, f"Bad Request: {description}")
        refusal = await out.refusal("refundStarPayment", **charge)
        assert refusal == (400, "Bad Request: invalid user_id specified")
        await out.result("refundStarPayment", user_id=user.user_id, **charge)
        assert user.stars == WALLET_STARS
        message = out.telegram.pending[-1].body["message"]
        # The bot's own message, in the chat of the payer (tdlib/telegram-bot-api, Client.cpp).
        assert (message["from"]["is_bot"], message["chat"]["id"]) == (True, user.user_id)
        assert message["refunded_payment"]["invoice_payload"] == "order-1"
        payment, refund = await rows(out)
        assert payment["id"] == refund["id"]
        assert ("source" in payment, "receiver" in refund) == (True, True)
        assert await out.result("getMyStarBalance") == {"amount": 0}
        refusal = await out.refusal("refundStarPayment", user_id=user.user_id, **charge)
        assert refusal == (400, "Bad Request: CHARGE_ALREADY_REFUNDED")


async def test_stars_that_are_gone_cannot_be_given_back(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        await invoice(out, user)
        charge_id = await buy(out, user)
        out.telegram.till.debit(20)
        refusal = await out.refusal(
            "refundStarPayment", user_id=user.user_id, telegram_payment_charge_id=charge_id
        )
        assert refusal == (400, "Bad Request: BALANCE_TOO_LOW")


async def test_the_account_is_read_from_its_oldest_line(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, limits=NO_LIMITS) as out:
        user = out.started_user()
        await invoice(out, user)
        charges = [await buy(out, user) for _ in range(3)]
        first = await rows(out, limit=2)
        charges.append(await buy(out, user))
        second = await rows(out, offset=2, limit=100)
        assert [row["id"] for row in first + second] == charges
        assert await rows(out, offset=4) == []
        assert len(await rows(out, offset=-1, limit=1000)) == 4


async def test_payments_wait_for_no_other_update_and_not_for_long(
    autojump_clock: MockClock,
) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        await invoice(out, user)
        checkout = user.pay()
        assert out.telegram.update(checkout.update_id).queue == f"checkout:{user.user_id}"
        began = trio.current_time()
        assert await user.wait_checkout(checkout) is CheckoutState.TIMED_OUT
        assert trio.current_time() - began == pytest.approx(10, abs=0.01)
        assert user.stars == WALLET_STARS
