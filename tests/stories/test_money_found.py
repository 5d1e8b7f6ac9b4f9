"""What the comparison with Telegram's own list finds, and what it leaves alone."""

from tests.stories import kit, till_kit
from tests.stories.till_kit import WITHOUT_A_GIFT, WORTH_KOPECKS
from trt.sandbox.telegram_stars import WALLET_STARS, CheckoutState
from trt.telemetry.events import EventName
from trt.testing.world import World


@kit.SEEDS
def test_what_was_paid_to_the_bot_for_no_invoice_of_ours_is_named_and_not_credited(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user()
        kept = anna.paid_before("order-of-another-program", 100)
        returned = boris.paid_before("order-of-another-program", 50)
        w.telegram.till.charge_back(returned)
        await till_kit.restart(w)
        assert await till_kit.payments_in(w) == []
        assert await w.rows("SELECT 1 FROM accounts WHERE kind = 'user'") == []
        assert not anna.messages
        assert not boris.messages
        named = [event.fields["external_id"] for event in w.told(EventName.STARS_FOREIGN)]
        assert named == [kept, returned, returned]
        await till_kit.restart(w)
        assert len(w.told(EventName.STARS_FOREIGN)) == len(named)

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_a_lost_payment_is_found_within_the_hour_and_its_late_update_changes_nothing(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        invoice = await till_kit.has_invoice(anna)
        charge_id = await till_kit.pays(anna, invoice, is_update_lost=True)
        await w.settled(60)
        assert await till_kit.payments_in(w) == []
        await w.settled(3610)  # without a restart
        assert (await till_kit.only_payment(w)).kopecks == WORTH_KOPECKS
        [credited] = w.told(EventName.PAYMENT_CREDITED)
        assert credited.fields["found_by"] == "reconciliation"
        assert invoice.invoice is not None
        update_id = anna.pay_out_of_the_blue(invoice.invoice.payload, 100, charge_id=charge_id)
        await w.settled(10)
        assert await kit.inbox_state(w, update_id) == ("done", "SUCCESS")
        assert len(w.told(EventName.PAYMENT_DUPLICATE)) == 1
        assert len(await till_kit.payments_in(w)) == 1
        assert await till_kit.available(w, anna) == WORTH_KOPECKS
        assert kit.count(anna, "Оплата получена") == 1

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_an_invoice_older_than_its_life_is_refused_with_its_own_words(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        invoice = await till_kit.has_invoice(anna)
        await kit.a_day_later(w)
        checkout = anna.pay(invoice)
        assert await anna.wait_checkout(checkout) is CheckoutState.DECLINED
        assert "устарел" in checkout.refusal
        assert anna.stars == WALLET_STARS
        assert w.told(EventName.PRE_CHECKOUT, reason="expired")
        await till_kit.pays(anna)  # a fresh one is as good as ever

    kit.tell(story, seed, **WITHOUT_A_GIFT)
