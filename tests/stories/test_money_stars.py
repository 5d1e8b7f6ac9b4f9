"""Telegram Stars: a payment is answered at once, credited once, and the order goes on."""

import pytest
import trio

from tests.conftest import LogOfTest
from tests.stories import kit, till_kit
from tests.stories.till_kit import WITHOUT_A_GIFT, WORTH_KOPECKS
from trt.sandbox.faults import CutAfter, CutBefore, Slow
from trt.sandbox.telegram_stars import WALLET_STARS, CheckoutState
from trt.telemetry.events import EventName
from trt.testing.world import World


@kit.SEEDS
def test_an_order_that_lacked_money_goes_on_after_the_payment(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        confirmation = await kit.has_confirmation(anna)
        await kit.pressed(anna, kit.CONFIRM, confirmation)
        await anna.wait_message("Не хватает денег")
        await kit.pressed(anna, "topup")
        await anna.wait_message(lambda one: one.button("topup:stars:100") is not None)
        await kit.pressed(anna, "topup:stars:100")
        await anna.wait_message(lambda one: one.invoice is not None)
        checkout = anna.pay()
        assert await anna.wait_checkout(checkout) is CheckoutState.PAID
        again = await anna.wait_message("Оплата получена: 101,40")
        assert "Проверьте заказ" in again.text
        assert len(w.kie.tasks) == 0  # nothing starts without a tap
        await kit.pressed(anna, kit.CONFIRM, again)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 1
        assert await till_kit.available(w, anna) == WORTH_KOPECKS - kit.PICTURE_KOPECKS

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_the_wallet_reads_like_a_statement(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(120)
        await till_kit.has_paid(anna)
        anna.send("/balance")
        wallet = await anna.wait_message("Последние движения")
        assert "Баланс: 200,77 ₽" in wallet.text
        lines = [line for line in wallet.text.splitlines() if " · " in line]
        said = [line.split(" · ", 1)[1] for line in lines]
        assert said == ["+101,40 ₽ · пополнение", "−0,63 ₽ · Z-Image", "+100 ₽ · подарок"]

    kit.tell(story, seed)


@kit.SEEDS
def test_a_pre_checkout_is_answered_while_the_users_session_is_stuck(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        invoice = await till_kit.has_invoice(anna)
        w.bot.trouble.hold("handle")
        anna.send("/balance")
        await w.settled(3)
        asked_s = trio.current_time()
        assert await anna.wait_checkout(anna.pay(invoice)) is CheckoutState.PAID
        assert trio.current_time() - asked_s < 2
        w.bot.trouble.release("handle")
        await anna.wait_message("Оплата получена")
        assert await till_kit.available(w, anna) == WORTH_KOPECKS

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_pre_checkout_is_answered_though_its_row_cannot_be_closed(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        invoice = await till_kit.has_invoice(anna)
        w.bot.trouble.hold("finish")
        w.telegram.faults.add("answerPreCheckoutQuery", CutBefore(), times=2)
        asked_s = trio.current_time()
        checkout = anna.pay(invoice)
        assert await anna.wait_checkout(checkout) is CheckoutState.PAID
        assert trio.current_time() - asked_s < 2
        await anna.wait_message("Оплата получена")  # nothing waits behind the open row
        assert (await kit.inbox_state(w, checkout.update_id))[0] == "new"
        w.bot.trouble.release("finish")
        await w.settled(10)
        assert await kit.inbox_state(w, checkout.update_id) == ("done", "SUCCESS")
        assert await till_kit.available(w, anna) == WORTH_KOPECKS
        assert await w.rows("SELECT 1 FROM inbox WHERE state = 'new'") == []

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
@pytest.mark.parametrize("mode", ["hold", "reject"])
def test_a_passive_instance_answers_and_the_payment_is_credited_after_the_takeover(
    seed: int, mode: str
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        invoice = await till_kit.has_invoice(anna)
        first = w.bot
        passive = await w.start()
        await w.settled(1)
        assert first.leads()
        first.trouble.hold(None)  # a leader that does nothing any more
        first.lease_trouble.hold(None)
        w.lead_posts_to(passive)
        asked_s = trio.current_time()
        assert await anna.wait_checkout(anna.pay(invoice)) is CheckoutState.PAID
        assert trio.current_time() - asked_s < 2
        await anna.wait_message("Оплата получена")
        await w.settled(30)
        assert kit.count(anna, "Оплата получена") == 1
        assert await till_kit.available(w, anna) == WORTH_KOPECKS
        first.trouble.release(None)
        first.lease_trouble.release(None)
        await w.settled(10)
        assert await till_kit.available(w, anna) == WORTH_KOPECKS

    environment = {**WITHOUT_A_GIFT["environment"], "PASSIVE_MODE": mode}
    kit.tell(story, seed, environment=environment, checks_taps=False)


@kit.SEEDS
def test_an_answer_that_comes_too_late_costs_nobody_anything(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        invoice = await till_kit.has_invoice(anna)
        w.telegram.faults.add("answerPreCheckoutQuery", Slow(10.5))
        late = anna.pay(invoice)
        assert await anna.wait_checkout(late) is CheckoutState.TIMED_OUT
        w.telegram.faults.add("answerPreCheckoutQuery", Slow(3))
        given_up = anna.pay(invoice)
        await w.settled(1)
        anna.give_up(given_up)
        await w.settled(30)
        assert anna.stars == WALLET_STARS
        assert await till_kit.payments_in(w) == []
        assert w.told(EventName.PRE_CHECKOUT, outcome="late")
        await till_kit.pays(anna, invoice)
        await anna.wait_message("Оплата получена")

    kit.tell(story, seed)


@kit.SEEDS
def test_a_lost_answer_to_a_pre_checkout_is_given_once_more(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        invoice = await till_kit.has_invoice(anna)
        w.telegram.faults.add("answerPreCheckoutQuery", CutAfter())
        assert await anna.wait_checkout(anna.pay(invoice)) is CheckoutState.PAID
        await w.settled(10)
        assert (await till_kit.only_payment(w)).kopecks == WORTH_KOPECKS

    kit.tell(story, seed)


@kit.SEEDS
def test_one_payment_is_credited_once_however_often_it_is_told(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        checkout = anna.pay(await till_kit.has_invoice(anna))
        assert await anna.wait_checkout(checkout) is CheckoutState.PAID
        assert checkout.payment_update_id is not None
        w.telegram.redeliver(checkout.payment_update_id)
        w.telegram.repeat(checkout.payment_update_id)
        await w.settled(5)
        w.telegram.redeliver(checkout.payment_update_id)
        w.telegram.repeat(checkout.payment_update_id)
        await w.settled(5)
        await till_kit.restart(w)
        assert kit.count(anna, "Оплата получена") == 1
        assert await till_kit.available(w, anna) == WORTH_KOPECKS
        assert len(w.told(EventName.PAYMENT_CREDITED)) == 1
        assert len(w.told(EventName.PAYMENT_DUPLICATE)) == 2

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_an_invoice_can_be_paid_twice_and_by_whoever_got_it(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        invoice = await till_kit.has_invoice(anna)
        await till_kit.pays(anna, invoice)
        await till_kit.pays(anna, invoice)
        await till_kit.pays(boris, anna.forward(invoice))
        await boris.wait_message("Оплата получена")
        await w.settled(5)
        assert await till_kit.available(w, anna) == 2 * WORTH_KOPECKS
        assert await till_kit.available(w, boris) == WORTH_KOPECKS  # who never said /start
        boris.send("/balance")
        await boris.wait_message("Последние движения")

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_forged_or_outdated_invoice_is_refused_with_words(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        invoice = await till_kit.has_invoice(anna)
        assert invoice.invoice is not None
        forged = [
            anna.pay(invoice, stars=1),
            anna.pre_checkout("order-1", 100),
            anna.pre_checkout(invoice.invoice.payload, 100, "USD"),
        ]
        for checkout in forged:
            assert await anna.wait_checkout(checkout) is CheckoutState.DECLINED
            assert "не от нас" in checkout.refusal
        assert anna.stars == WALLET_STARS
        assert await till_kit.payments_in(w) == []

    kit.tell(story, seed)


@kit.SEEDS
def test_a_payment_that_names_no_order_of_ours_is_credited_by_its_stars(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await till_kit.starts(anna)
        anna.pay_out_of_the_blue("no such order", 50)
        await anna.wait_message("Оплата получена: 50,70")
        assert await till_kit.available(w, anna) == 5_070

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_what_is_no_payment_in_stars_is_not_credited_and_said_aloud(
    seed: int, log: LogOfTest
) -> None:
    log.claim("PAYMENT_ODD")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await till_kit.starts(anna)
        update_id = anna.pay_out_of_the_blue("order", 100, "USD")
        await w.settled(5)
        assert await till_kit.available(w, anna) == 0
        assert await kit.inbox_state(w, update_id) == ("done", "SUCCESS")
        assert len(w.told(EventName.PAYMENT_ODD)) == 1

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_payment_waits_for_a_full_mailbox_and_is_not_refused(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await till_kit.starts(anna)
        w.bot.trouble.hold("handle")
        for _ in range(40):
            anna.send("/menu")
        anna.pay_out_of_the_blue("order", 100)
        await w.settled(5)
        w.bot.trouble.release("handle")
        await anna.wait_message("Оплата получена", timeout_s=120)
        assert await till_kit.available(w, anna) == WORTH_KOPECKS

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_payment_that_was_long_under_way_is_never_stale(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await till_kit.starts(anna)
        w.bot.trouble.hold("handle")
        anna.pay_out_of_the_blue("order", 100)
        await w.settled(2)
        await w.rows("UPDATE inbox SET received_at = received_at - 172800 WHERE state = 'new'")
        w.bot.trouble.release("handle")
        await anna.wait_message("Оплата получена")

    kit.tell(story, seed, **WITHOUT_A_GIFT)
