"""Every way in which a payment goes wrong at Telegram can be ordered in one line."""

import pytest
import trio
from trio.testing import MockClock

from tests.sandbox.in_process import Outside, outside
from tests.sandbox.test_telegram_stars import TOO_OLD, buy, invoice, rows
from trt.sandbox.faults import Slow
from trt.sandbox.telegram_stars import WALLET_STARS, Checkout, CheckoutState
from trt.sandbox.telegram_user import NotSeen


async def agree(out: Outside, checkout: Checkout) -> None:
    await out.result("answerPreCheckoutQuery", pre_checkout_query_id=checkout.query_id, ok=True)


async def test_the_bot_agrees_too_late(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        await invoice(out, user)
        out.telegram.faults.add("answerPreCheckoutQuery", Slow(10.1))
        checkout = user.pay()
        answer = {"pre_checkout_query_id": checkout.query_id, "ok": True}
        assert await out.refusal("answerPreCheckoutQuery", **answer) == (400, TOO_OLD)
        assert user.state(checkout) is CheckoutState.TIMED_OUT
        assert (user.stars, await rows(out)) == (WALLET_STARS, [])


async def test_the_question_arrives_after_the_person_gave_up(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        await invoice(out, user)
        checkout = user.pay()
        user.give_up(checkout)
        await out.set_webhook()
        await trio.sleep(1)
        assert out.telegram.update(checkout.update_id).delivered_at is not None
        answer = {"pre_checkout_query_id": checkout.query_id, "ok": True}
        assert await out.refusal("answerPreCheckoutQuery", **answer) == (400, TOO_OLD)
        assert user.state(checkout) is CheckoutState.GIVEN_UP


async def test_the_same_update_comes_twice(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        await out.set_webhook()
        user = out.started_user()
        await invoice(out, user)
        checkout = user.pay()
        await agree(out, checkout)
        assert checkout.payment_update_id is not None
        await trio.sleep(1)
        out.telegram.redeliver(checkout.payment_update_id)
        await trio.sleep(1)
        assert out.telegram.update(checkout.payment_update_id).attempts == [200, 200]


async def test_the_same_payment_comes_in_two_updates(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        await invoice(out, user)
        checkout = user.pay()
        await agree(out, checkout)
        assert checkout.payment_update_id is not None
        again = out.telegram.update(out.telegram.repeat(checkout.payment_update_id))
        assert again.update_id > checkout.payment_update_id
        payment = again.body["message"]["successful_payment"]
        assert payment["telegram_payment_charge_id"] == checkout.charge_id
        assert len(await rows(out)) == 1


async def test_a_payment_of_which_the_bot_knows_nothing(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.telegram.user()
        update = out.telegram.update(user.pay_out_of_the_blue("no such order", 7))
        assert update.body["message"]["successful_payment"]["total_amount"] == 7
        [row] = await rows(out)
        assert row["source"]["invoice_payload"] == "no such order"


async def test_one_invoice_is_paid_twice(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        message = await invoice(out, user)
        assert await buy(out, user, message) != await buy(out, user, message)
        assert user.stars == WALLET_STARS - 100


async def test_a_forwarded_invoice_is_paid_by_somebody_else(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        anna, boris = out.started_user(), out.telegram.user(first_name="Борис")
        await invoice(out, anna)
        await buy(out, boris, anna.forward())
        [row] = await rows(out)
        assert row["source"]["user"]["id"] == boris.user_id
        assert row["source"]["invoice_payload"] == "order-1"


async def test_with_a_start_parameter_a_forwarded_invoice_has_only_a_link(
    autojump_clock: MockClock,
) -> None:
    async with outside(autojump_clock) as out:
        anna, boris = out.started_user(), out.telegram.user()
        await invoice(out, anna, start_parameter="topup")
        copy = anna.forward()
        assert copy.buttons[0].url == "https://t.me/trt_sandbox_bot?start=topup"
        with pytest.raises(NotSeen):
            boris.pay(copy)
        await buy(out, anna)


async def test_a_forger_names_another_amount_or_currency(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        await invoice(out, user)
        for checkout in (user.pay(stars=1), user.pre_checkout("order-1", 50, "USD")):
            query = out.telegram.update(checkout.update_id).body["pre_checkout_query"]
            assert (query["currency"], query["total_amount"]) in {("XTR", 1), ("USD", 50)}
        update = out.telegram.update(user.pay_out_of_the_blue("order-1", 50, "USD"))
        assert update.body["message"]["successful_payment"]["currency"] == "USD"
        assert await rows(out) == []


async def test_a_payment_whose_update_is_lost_stands_in_the_account(
    autojump_clock: MockClock,
) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        await invoice(out, user)
        checkout = user.pay(is_update_lost=True)
        await agree(out, checkout)
        assert checkout.payment_update_id is None
        assert "successful_payment" not in repr([one.body for one in out.telegram.pending])
        assert user.messages[-1].kind == "successful_payment"
        assert [row["id"] for row in await rows(out)] == [checkout.charge_id]


async def test_telegram_gives_a_payment_back_by_itself(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        await invoice(out, user)
        charge_id = await buy(out, user)
        update = out.telegram.update(out.telegram.till.refund_from_outside(charge_id))
        refund = update.body["message"]["refunded_payment"]
        assert refund["telegram_payment_charge_id"] == charge_id
        arguments = {"user_id": user.user_id, "telegram_payment_charge_id": charge_id}
        refusal = await out.refusal("refundStarPayment", **arguments)
        assert refusal == (400, "Bad Request: CHARGE_ALREADY_REFUNDED")


async def test_a_chargeback_is_told_by_nobody_and_can_leave_a_debt(
    autojump_clock: MockClock,
) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        await invoice(out, user)
        charge_id = await buy(out, user)
        updates = len(out.telegram.pending)
        debit_id = out.telegram.till.debit(30)
        out.telegram.till.charge_back(charge_id)
        assert len(out.telegram.pending) == updates
        assert user.stars == WALLET_STARS - 50
        assert await out.result("getMyStarBalance") == {"amount": -30}
        lines = await rows(out)
        assert [line["id"] for line in lines] == [charge_id, debit_id, charge_id]
        assert lines[1]["receiver"] == {"type": "other"}
