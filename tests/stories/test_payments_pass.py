"""Whatever turns other updates away, what tells of money is carried out."""

import pytest

from tests.conftest import LogOfTest
from tests.stories import kit, till_kit
from tests.stories.till_kit import WITHOUT_A_GIFT, WORTH_KOPECKS
from trt.actors.handling import ATTEMPTS_MAX
from trt.actors.parts import Limits
from trt.domain.payments import PaymentState
from trt.sandbox.telegram_stars import CheckoutState
from trt.telemetry.events import EventName
from trt.testing.world import World

WORN = f"UPDATE inbox SET attempts = {ATTEMPTS_MAX + 1} WHERE state = 'new'"


@kit.SEEDS
def test_a_payment_that_many_takeovers_left_open_is_credited(seed: int, log: LogOfTest) -> None:
    log.claim("DISPATCH_FAIL")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await till_kit.starts(anna)
        w.bot.trouble.hold("handle")
        menu_id = anna.send("/menu")
        payment_id = anna.pay_out_of_the_blue("order", 100)
        await w.settled(2)
        await w.rows(WORN)
        w.bot.trouble.release("handle")
        await anna.wait_message("Оплата получена")
        assert await kit.inbox_state(w, menu_id) == ("dead", "HANDLER_CRASHED")
        assert await kit.inbox_state(w, payment_id) == ("done", "SUCCESS")
        assert await till_kit.available(w, anna) == WORTH_KOPECKS

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_refund_that_many_takeovers_left_open_is_taken_into_account(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        charge_id = await till_kit.has_paid(anna)
        w.bot.trouble.hold("handle")
        update_id = w.telegram.till.refund_from_outside(charge_id)
        await w.settled(2)
        await w.rows(WORN)
        await w.rows("UPDATE inbox SET received_at = received_at - 172800 WHERE state = 'new'")
        w.bot.trouble.release("handle")
        await anna.wait_message("возвращён")
        assert await kit.inbox_state(w, update_id) == ("done", "SUCCESS")
        assert (await till_kit.only_payment(w)).state is PaymentState.DISPUTED

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_pre_checkout_that_a_takeover_found_is_answered(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        invoice = await till_kit.has_invoice(anna)
        w.bot.trouble.hold("unfinished")
        w.bot.trouble.hold("store")
        checkout = anna.pay(invoice)
        await w.settled(0.5)
        w.bot.trouble.release("store")
        await w.settled(0.2)
        await w.rows(WORN)
        w.bot.trouble.release("unfinished")
        assert await anna.wait_checkout(checkout) is CheckoutState.PAID
        await anna.wait_message("Оплата получена")
        assert not w.told(EventName.DISPATCH_REFUSED)

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
@pytest.mark.parametrize("mailbox", [1, 4])
def test_a_flood_of_messages_turns_no_payment_away(seed: int, mailbox: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        invoice = await till_kit.has_invoice(anna)
        w.bot.trouble.hold("handle")
        for _ in range(40):
            anna.send("/menu")
        checkouts = [anna.pay(invoice) for _ in range(3)]
        for checkout in checkouts:
            assert await anna.wait_checkout(checkout) is CheckoutState.PAID
        for _ in range(40):
            anna.send("/menu")
        await w.settled(5)
        w.bot.trouble.release("handle")
        await w.settled(120)
        refused = w.told(EventName.DISPATCH_REFUSED, reason_code="MAILBOX_FULL")
        assert len(refused) > 40  # of the messages, and of nothing else
        assert await till_kit.available(w, anna) == 3 * WORTH_KOPECKS
        ended = await w.rows(
            "SELECT DISTINCT kind, state FROM inbox WHERE kind IN "
            "('pre_checkout_query', 'successful_payment') ORDER BY kind"
        )
        assert ended == [("pre_checkout_query", "done"), ("successful_payment", "done")]

    kit.tell(story, seed, limits=Limits(session_mailbox=mailbox), **WITHOUT_A_GIFT)
