"""Trouble with money reaches the admin in words, with the number of its story, once an hour."""

import pytest

from tests.conftest import LogOfTest
from tests.stories import kit, till_kit
from tests.stories.till_kit import ADMIN_ID, WITH_ADMIN, WITHOUT_A_GIFT
from trt.telemetry.events import EventName
from trt.testing.world import World

CHECKED_S = 3700.0
"""The books and the list of Stars are looked through once an hour."""
BREAK = "UPDATE accounts SET credits_posted = credits_posted + :by WHERE account_id = :user"


async def break_books(w: World, user_id: int, by: int) -> None:
    await w.rows(BREAK, by=by, user=user_id)


@kit.SEEDS_OF_HOURS
def test_books_that_do_not_balance_are_told_once_an_hour_with_their_cid(
    seed: int, log: LogOfTest
) -> None:
    log.claim("BOOKS_BROKEN")

    async def story(w: World) -> None:
        admin, anna = till_kit.admin(w), w.telegram.user()
        await till_kit.starts(admin)
        await till_kit.pays(anna)
        await w.settled(5)
        await break_books(w, anna.user_id, 1)
        await till_kit.restart(w, 5)
        told = await admin.wait_message("Книги не сходятся")
        [event] = w.told(EventName.BOOKS_BROKEN)
        assert f"trt ops trace {event.fields['cid']}" in told.text
        assert "расхождений 1" in told.text
        sent = w.told(EventName.MESSAGE_SENT, cid=event.fields["cid"])
        assert len(sent) == 1  # the story of the alarm names its own message
        await till_kit.restart(w, 5)  # another holder finds the same, within the hour
        assert len(w.told(EventName.BOOKS_BROKEN)) == 2
        assert kit.count(admin, "Книги не сходятся") == 1
        await w.settled(CHECKED_S)
        again = await admin.wait_message("Книги не сходятся", after=told)
        latest = w.told(EventName.BOOKS_BROKEN)[-1]
        assert str(latest.fields["cid"]) in again.text
        assert kit.count(admin, "Книги не сходятся") == 2
        await break_books(w, anna.user_id, -1)

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_what_the_reconciliation_finds_is_told(seed: int) -> None:
    async def story(w: World) -> None:
        admin, anna = till_kit.admin(w), w.telegram.user()
        await till_kit.starts(admin)
        await till_kit.pays(anna, is_update_lost=True)
        w.telegram.till.debit(7)
        await till_kit.restart(w)
        found = await admin.wait_message("зачислено платежей 1, отозвано 0")
        went = await admin.wait_message("ушли звёзды, и это не возврат платежа: 7")
        [event] = w.told(EventName.STARS_WENT)
        assert str(event.fields["cid"]) in went.text
        assert found is not went

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_other_credits_than_the_price_list_says_are_told(seed: int) -> None:
    async def story(w: World) -> None:
        admin, anna = till_kit.admin(w), w.telegram.user()
        await till_kit.starts(admin)
        await kit.orders_picture(anna)
        await w.settled(1)
        [task] = w.kie.tasks
        task.credits = 1.4
        told = await admin.wait_message("ждали 0.8, списано 1.4", timeout_s=120)
        assert (await kit.only_job(w, anna)).cid in told.text
        assert kit.PROMPT not in told.text

    kit.tell(story, seed, **WITH_ADMIN)


@kit.SEEDS
def test_an_alarm_survives_the_branch_that_could_not_tell_it(seed: int, log: LogOfTest) -> None:
    log.claim("PAYMENT_ODD")

    async def story(w: World) -> None:
        admin, anna = till_kit.admin(w), w.telegram.user()
        await till_kit.starts(admin)
        await till_kit.starts(anna)
        w.bot.trouble.hold("_tell")
        anna.pay_out_of_the_blue("order", 100, "USD")
        await w.settled(5)
        assert w.told(EventName.PAYMENT_ODD)
        await w.depose()
        await w.settled(1)
        w.bot.trouble.release("_tell")
        await admin.wait_message("Ничего не зачислено", timeout_s=60)
        assert kit.count(admin, "Ничего не зачислено") == 1

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@pytest.mark.parametrize("has_admin", [True, False])
def test_without_an_admin_there_is_nobody_to_tell(has_admin: bool, log: LogOfTest) -> None:
    log.claim("PAYMENT_ODD")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await till_kit.starts(anna)
        anna.pay_out_of_the_blue("order", 100, "USD")
        await w.settled(5)
        sql = "SELECT count(*) FROM outbox WHERE chat_id = :admin"
        [[count]] = await w.rows(sql, admin=ADMIN_ID)
        assert count == int(has_admin)

    kit.tell(story, environment=WITH_ADMIN["environment"] if has_admin else {})
