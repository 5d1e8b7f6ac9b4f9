"""Refunds, chargebacks, lost updates and the admin: what we know and what Telegram knows agree."""

from typing import Any

import pytest

from tests.conftest import LogOfTest
from tests.stories import kit, till_kit
from tests.stories.till_kit import WITH_ADMIN, WITHOUT_A_GIFT, WORTH_KOPECKS
from trt.domain.payments import PaymentState
from trt.sandbox.faults import CutAfter, ServerError, TooMany
from trt.sandbox.telegram_stars import WALLET_STARS
from trt.telemetry.events import EventName
from trt.testing.world import World


@kit.SEEDS
def test_the_admin_gives_a_payment_back_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        charge_id = await till_kit.has_paid(anna)
        admin.send(f"/refund {charge_id}")  # and no reason
        await admin.wait_message("/refund номер_платежа причина")
        assert (await till_kit.only_payment(w)).state is PaymentState.CREDITED
        admin.send(f"/refund {charge_id} не понравилось")
        await admin.wait_message("Возврат 101,40 ₽")
        admin.send(f"/refund {charge_id} ещё раз")
        await admin.wait_message("Вернуть нельзя")
        await w.settled(10)
        assert anna.stars == WALLET_STARS
        assert (await till_kit.only_payment(w)).state is PaymentState.REFUNDED
        assert await till_kit.available(w, anna) == 0
        assert kit.count(anna, "возвращён") == 1
        admin.send(f"/refund {charge_id} и ещё раз")
        await admin.wait_message("состояние refunded")
        [action] = await w.rows("SELECT kind, reason, amount_kopecks, admin FROM admin_actions")
        by = f"telegram:{till_kit.ADMIN_ID}"
        assert action == ("refund", "не понравилось", WORTH_KOPECKS, by)

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
@pytest.mark.parametrize("fault", [CutAfter(), ServerError(), TooMany(5)], ids=repr)
def test_a_refund_of_unknown_fate_is_asked_for_again_and_counts_once(
    seed: int, fault: CutAfter | ServerError | TooMany
) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        charge_id = await till_kit.has_paid(anna)
        w.telegram.faults.add("refundStarPayment", fault)
        admin.send(f"/refund {charge_id} причина")
        await w.settled(90)
        assert anna.stars == WALLET_STARS
        assert (await till_kit.only_payment(w)).state is PaymentState.REFUNDED
        assert await till_kit.available(w, anna) == 0
        assert kit.count(anna, "возвращён") == 1

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_given_back_before_is_success(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        charge_id = await till_kit.has_paid(anna)
        w.telegram.till.charge_back(charge_id)  # nobody tells us
        admin.send(f"/refund {charge_id} причина")
        await w.settled(10)
        assert w.told(EventName.REFUND_ENDED, outcome="refunded")
        assert (await till_kit.only_payment(w)).state is PaymentState.REFUNDED
        assert await till_kit.available(w, anna) == 0

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_refund_that_telegram_refuses_leaves_the_money_and_can_be_asked_for_again(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        charge_id = await till_kit.has_paid(anna)
        w.telegram.till.debit(60)  # our Stars went elsewhere
        admin.send(f"/refund {charge_id} причина")
        await anna.wait_message("не принял возврат")
        assert await till_kit.available(w, anna) == WORTH_KOPECKS
        assert (await till_kit.only_payment(w)).state is PaymentState.CREDITED
        await till_kit.pays(anna)
        admin.send(f"/refund {charge_id} снова")
        await w.settled(10)
        seen = {one.charge_id: one.state for one in await till_kit.payments_in(w)}
        assert seen[charge_id] is PaymentState.REFUNDED
        assert await till_kit.available(w, anna) == WORTH_KOPECKS

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_restart_in_the_middle_of_a_refund_finishes_it(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        charge_id = await till_kit.has_paid(anna)
        w.telegram.faults.add("refundStarPayment", CutAfter())
        admin.send(f"/refund {charge_id} причина")
        await w.settled(5)
        await till_kit.restart(w)
        assert (await till_kit.only_payment(w)).state is PaymentState.REFUNDED
        assert (await w.balance(anna.user_id)).reserved_kopecks == 0
        assert await till_kit.available(w, anna) == 0

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_what_is_spent_is_not_given_back(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        charge_id = await till_kit.has_paid(anna)
        await kit.orders_picture(anna)
        await w.settled(120)
        admin.send(f"/refund {charge_id} причина")
        await admin.wait_message("Не хватает 0,63 ₽")
        assert (await till_kit.only_payment(w)).state is PaymentState.CREDITED
        admin.send(f"/credit {anna.user_id} 0,63 за наш счёт")
        await admin.wait_message("Начислено 0,63 ₽")
        admin.send(f"/refund {charge_id} причина")
        await w.settled(10)
        assert (await till_kit.only_payment(w)).state is PaymentState.REFUNDED
        assert await till_kit.available(w, anna) == 0

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_refund_from_outside_takes_what_is_left_and_we_bear_the_rest(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        charge_id = await till_kit.has_paid(anna)
        await kit.orders_picture(anna)
        await w.settled(120)
        update_id = w.telegram.till.refund_from_outside(charge_id)
        await anna.wait_message("возвращён")
        w.telegram.repeat(update_id)
        await w.settled(5)
        assert kit.count(anna, "возвращён") == 1
        assert (await till_kit.only_payment(w)).state is PaymentState.DISPUTED
        assert await till_kit.available(w, anna) == 0
        [told] = w.told(EventName.PAYMENT_TAKEN_BACK)
        assert told.fields["covered_kopecks"] == kit.PICTURE_KOPECKS
        anna.send("/balance")
        await anna.wait_message("за наш счёт")

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_chargeback_that_nobody_tells_of_is_found(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        charge_id = await till_kit.has_paid(anna)
        w.telegram.till.charge_back(charge_id)
        w.telegram.till.debit(7)
        await till_kit.restart(w)
        await anna.wait_message("возвращён")
        assert (await till_kit.only_payment(w)).state is PaymentState.DISPUTED
        assert await till_kit.available(w, anna) == 0
        await till_kit.restart(w)
        assert kit.count(anna, "возвращён") == 1
        assert len(w.told(EventName.STARS_WENT)) == 1  # the debit that was no payment

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_payment_whose_update_was_lost_is_found_and_the_order_goes_on(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        order = await till_kit.lacks_money(anna)
        await kit.pressed(anna, "topup")
        await anna.wait_message(lambda one: one.button("topup:stars:100") is not None)
        await kit.pressed(anna, "topup:stars:100")
        await anna.wait_message(lambda one: one.invoice is not None)
        await till_kit.pays(anna, anna.messages[-1], is_update_lost=True)
        await w.settled(10)
        assert await till_kit.payments_in(w) == []
        await till_kit.restart(w)
        told = await anna.wait_message("Оплата получена")
        assert (await till_kit.only_payment(w)).kopecks == WORTH_KOPECKS
        till_kit.assert_goes_on(order, told)
        await till_kit.restart(w)
        assert kit.count(anna, "Оплата получена") == 1
        assert await till_kit.available(w, anna) == WORTH_KOPECKS
        await kit.pressed(anna, kit.CONFIRM, told)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 1
        assert await till_kit.available(w, anna) == WORTH_KOPECKS - kit.PICTURE_KOPECKS

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_refund_of_a_payment_that_we_never_saw_leaves_nothing(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        charge_id = await till_kit.pays(anna, is_update_lost=True)
        w.telegram.till.refund_from_outside(charge_id)
        await w.settled(10)
        await till_kit.restart(w)
        assert (await till_kit.only_payment(w)).state is PaymentState.DISPUTED
        assert await till_kit.available(w, anna) == 0

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_the_list_is_read_to_its_end_while_it_grows(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user()
        invoice = await till_kit.has_invoice(anna, 50)
        for _ in range(130):
            await till_kit.pays(anna, invoice, is_update_lost=True)
        await w.bot.stop()
        await w.settled(70)
        grown: list[None] = []

        async def grow(call: object) -> None:
            if getattr(call, "name", "") == "getStarTransactions" and not grown:
                grown.append(None)
                boris.pay_out_of_the_blue("late", 50)

        w.telegram.after_call = grow
        await w.start()
        await w.settled(200)
        assert await till_kit.available(w, anna) == 130 * 5_070
        assert await till_kit.available(w, boris) == 5_070
        await till_kit.restart(w)
        assert len(await till_kit.payments_in(w)) == 131
        assert w.told(EventName.STARS_RECONCILED)[-1].fields["credited"] == 0

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_payment_that_telegram_does_not_know_is_named(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await till_kit.starts(anna)
        payment = {
            "currency": "XTR",
            "total_amount": 100,
            "invoice_payload": "order",
            "telegram_payment_charge_id": "stxours",
            "provider_payment_charge_id": "",
        }
        update_id = anna.send("/menu")
        message = w.telegram.update(update_id).body["message"]
        paid = {key: message[key] for key in ("message_id", "from", "chat", "date")}
        w.telegram.post("message", {**paid, "successful_payment": payment})
        await anna.wait_message("Оплата получена")
        assert w.told(EventName.STARS_UNKNOWN) == []
        await till_kit.restart(w, pause_s=3700)
        [told] = w.told(EventName.STARS_UNKNOWN)
        assert told.fields["external_id"] == "stxours"

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_telegram_that_does_not_answer_is_asked_again(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await till_kit.pays(anna, is_update_lost=True)
        await w.bot.stop()
        await w.settled(70)
        w.telegram.faults.add("getStarTransactions", ServerError(), times=2)
        await w.start()
        await w.settled(130)
        assert await till_kit.available(w, anna) == WORTH_KOPECKS

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_an_order_that_lacked_money_goes_on_after_a_credit_that_is_enough(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        order = await till_kit.lacks_money(anna)
        admin.send(f"/credit {anna.user_id} 0,62 за терпение")
        little = await anna.wait_message("начислила 0,62 ₽")
        assert little.button("▶️ Продолжить заказ") is not None
        assert little.button(kit.CONFIRM) is None  # one kopeck is missing still
        admin.send(f"/credit {anna.user_id} 0,01 и ещё")
        enough = await anna.wait_message("начислила 0,01 ₽")
        till_kit.assert_goes_on(order, enough)
        await kit.pressed(anna, kit.CONFIRM, enough)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 1
        assert await till_kit.available(w, anna) == 0

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
@pytest.mark.parametrize("options", [WITH_ADMIN, WITHOUT_A_GIFT], ids=["rich", "being changed"])
def test_a_credit_leaves_an_order_alone_that_lacks_nothing_or_is_being_changed(
    seed: int, options: dict[str, Any]
) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        order = await kit.has_confirmation(anna)
        if options is WITHOUT_A_GIFT:
            await kit.pressed(anna, "◀️ Назад", order)
            await anna.wait_message(lambda one: one is order and one.button("✓ 1:1") is not None)
        admin.send(f"/credit {anna.user_id} 10 просто так")
        told = await anna.wait_message("начислила 10 ₽")
        assert told.button("▶️ Продолжить заказ") is not None
        await w.settled(5)
        assert order.buttons

    kit.tell(story, seed, **options)


@kit.SEEDS
def test_only_the_admin_moves_other_peoples_money_and_says_why(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        await till_kit.starts(anna)
        anna.send(f"/credit {anna.user_id} 1000 хочу")
        await anna.wait_message("Такой команды нет")
        for wrong in (
            "",
            f"{anna.user_id}",
            f"{anna.user_id} 10",
            f"{anna.user_id} -10 ой",
            "1 0 x",
        ):
            above = admin.messages[-1] if admin.messages else None
            admin.send(f"/credit {wrong}".strip())
            await admin.wait_message("/refund", after=above)
        admin.send("/credit 123 10 никого")
        await admin.wait_message("Пользователя 123 нет")
        update_id = admin.send(f"/credit {anna.user_id} 10,50 за терпение")
        await admin.wait_message("Начислено 10,50 ₽")
        await anna.wait_message("начислила 10,50 ₽")
        w.telegram.redeliver(update_id)
        admin.send(f"/debit {anna.user_id} 100 ошибка")
        await admin.wait_message("Не хватает 89,50 ₽")
        admin.send(f"/debit {anna.user_id} 0.50 ошибка")
        await anna.wait_message("списала 0,50 ₽")
        assert await till_kit.available(w, anna) == 1_000
        admin.send(f"/payments {anna.user_id}")
        await admin.wait_message("Платежей нет")
        await till_kit.has_paid(anna)
        admin.send(f"/payments {anna.user_id}")
        await admin.wait_message("⭐100 · credited")
        reasons = await w.rows("SELECT kind, reason FROM admin_actions ORDER BY at")
        assert reasons == [("credit", "за терпение"), ("debit", "ошибка")]

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_health_shows_the_books(seed: int, log: LogOfTest) -> None:
    log.claim("BOOKS_BROKEN")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await till_kit.pays(anna)
        await w.settled(10)
        books = (await w.http.get("https://bot.test/health")).json()["books"]
        assert (books["balanced"], books["problems_count"]) == (True, 0)
        assert books["checked_at"].endswith("Z")
        await w.rows("UPDATE accounts SET credits_posted = credits_posted + 1 WHERE account_id > 0")
        await till_kit.restart(w)
        books = (await w.http.get("https://bot.test/health")).json()["books"]
        assert (books["balanced"], books["problems_count"]) == (False, 1)
        assert w.told(EventName.BOOKS_BROKEN)
        await w.rows("UPDATE accounts SET credits_posted = credits_posted - 1 WHERE account_id > 0")

    kit.tell(story, seed, **WITHOUT_A_GIFT)
