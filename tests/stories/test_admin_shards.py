"""The admin is a user of one shard, and looks after the money of all of them."""

import pytest

from tests.conftest import LogOfTest
from tests.stories import kit, till_kit
from tests.stories.shard_kit import assert_nothing_crossed, each_leads_one, users_of
from tests.stories.test_money_by_hand import OPEN, PICTURE, announces
from tests.stories.till_kit import ADMIN_ID
from trt.actors.parts import Limits
from trt.domain.ids import UserId
from trt.domain.shard import shard_of
from trt.sandbox.telegram_user import FakeUser
from trt.telemetry.events import EventName
from trt.testing.world import World

TWO = {"environment": {**OPEN["environment"], "SHARDS": "2"}}
OWN = shard_of(UserId(ADMIN_ID), 2)
OTHER = 1 - OWN
ACCEPTED = "Ответ придёт следующим"


async def _begin(w: World, shard: int, *, apart: bool = True) -> tuple[FakeUser, FakeUser]:
    """Return the admin and a user of a shard, who both have written."""
    if apart:
        await each_leads_one(w)
    admin, user = till_kit.admin(w), users_of(w, shard)[0]
    await till_kit.starts(admin)
    await till_kit.starts(user)
    return admin, user


@pytest.mark.parametrize("apart", [True, False], ids=["two leaders", "one leader"])
@pytest.mark.parametrize("shard", [0, 1])
@kit.SEEDS
def test_what_the_admin_orders_is_done_in_the_shard_of_the_user(
    seed: int, shard: int, apart: bool
) -> None:
    async def story(w: World) -> None:
        admin, user = await _begin(w, shard, apart=apart)
        admin.send(f"/credit {user.user_id} 100 извините")
        await admin.wait_message("Начислено 100 ₽")
        await user.wait_message("100 ₽")
        admin.send(f"/debit {user.user_id} 40 ошибка")
        await admin.wait_message("Списано 40 ₽")
        admin.send(f"/debit {user.user_id} 100 ошибка")
        await admin.wait_message("Не хватает 40 ₽")
        await till_kit.pays(user)
        await user.wait_message("Оплата получена")
        paid = await till_kit.only_payment(w)
        admin.send(f"/refund {paid.charge_id} передумал")
        await admin.wait_message("начат")
        await user.wait_message("возвращён")
        assert await till_kit.available(w, user) == 6_000
        await w.settled(5)  # two shards write to one chat, in no order between them
        assert kit.count(admin, ACCEPTED) == (4 if shard == OTHER else 0)
        rows = await w.rows("SELECT kind FROM admin_actions ORDER BY at")
        assert rows == [("credit",), ("debit",), ("refund",)]
        sql = "SELECT max(finished_at - received_at) FROM inbox WHERE kind = 'sent_on'"
        [(longest_s,)] = await w.rows(sql)
        assert (longest_s or 0) < 0.1  # the other shard is woken, no sweep has to find it
        if apart:
            await assert_nothing_crossed(w)

    kit.tell(story, seed, **TWO)


@pytest.mark.parametrize("shard", [0, 1])
@kit.SEEDS
def test_a_receipt_is_handed_in_and_decided_in_the_shard_of_the_user(seed: int, shard: int) -> None:
    async def story(w: World) -> None:
        admin, user = await _begin(w, shard)
        await announces(user)
        user.send_photo(PICTURE)
        receipt = await admin.wait_message("Чек на 100 ₽")
        await kit.pressed(admin, "✅ Деньги пришли", receipt)
        await admin.wait_message("Зачислено 100 ₽")
        await user.wait_message("Оплата получена: 100 ₽")
        await kit.pressed(admin, "❌ Не пришли", receipt)
        await admin.wait_message("решение уже принято: approved")
        assert await till_kit.available(w, user) == 10_000
        await assert_nothing_crossed(w)

    kit.tell(story, seed, **TWO)


@kit.SEEDS
def test_an_order_for_a_shard_that_nobody_leads_waits_and_is_done_once(seed: int) -> None:
    async def story(w: World) -> None:
        admin, user = await _begin(w, OTHER)
        await w.rows(
            "UPDATE lease SET holder = 'other', epoch = epoch + 1, expires_at = expires_at + 10 "
            "WHERE name = :name RETURNING 1",
            name=f"shard-{OTHER}",
        )
        await w.settled(3)  # whoever had it has seen that it is lost
        admin.send(f"/credit {user.user_id} 100 извините")
        await admin.wait_message(ACCEPTED)
        assert await till_kit.available(w, user) == 0
        await admin.wait_message("Начислено 100 ₽")
        await user.wait_message("100 ₽")
        await w.settled(5)
        assert await till_kit.available(w, user) == 10_000
        assert len(w.told(EventName.ADMIN_ACTION, outcome="SentOn")) == 1
        assert len(w.told(EventName.ADMIN_ACTION, outcome="Posted")) == 1

    kit.tell(story, seed, **TWO)


@kit.SEEDS
def test_an_order_about_somebody_who_floods_the_bot_is_not_turned_away(seed: int) -> None:
    async def story(w: World) -> None:
        admin, user = await _begin(w, OTHER)
        there = w.instances[OTHER].trouble
        there.hold("handle")
        for _ in range(10):
            user.send("/menu")
            await w.settled(0.5)
        admin.send(f"/credit {user.user_id} 100 извините")
        await admin.wait_message(ACCEPTED)
        await w.settled(2)
        there.release("handle")
        await admin.wait_message("Начислено 100 ₽")
        assert w.told(EventName.DISPATCH_REFUSED, reason_code="MAILBOX_FULL")
        assert await till_kit.available(w, user) == 10_000

    kit.tell(story, seed, limits=Limits(session_mailbox=1), **TWO)


@kit.SEEDS
def test_orders_are_done_in_the_order_in_which_they_were_given(seed: int) -> None:
    async def story(w: World) -> None:
        admin, user = await _begin(w, OTHER)
        for number in range(1, 6):
            admin.send(f"/credit {user.user_id} {number} по порядку")
            admin.send(f"/debit {user.user_id} {number} по порядку")
        await w.settled(30)
        rows = await w.rows("SELECT kind, amount_kopecks FROM admin_actions ORDER BY at")
        both = [[("credit", 100 * n), ("debit", 100 * n)] for n in range(1, 6)]
        assert rows == [each for pair in both for each in pair]
        assert await till_kit.available(w, user) == 0

    kit.tell(story, seed, **TWO)


@kit.SEEDS
def test_an_order_that_crashes_there_is_told_to_the_admin_and_to_nobody_else(
    seed: int, log: LogOfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.claim("ACTOR_CRASHED", "ACTOR_GIVEN_UP", "DISPATCH_FAIL")

    def crash(*_: object, **__: object) -> None:
        raise AssertionError("no ledger")

    async def story(w: World) -> None:
        admin, user = await _begin(w, OTHER)
        heard = len(user.messages)
        monkeypatch.setattr("trt.storage.admin_actions.credit", crash)
        admin.send(f"/credit {user.user_id} 100 извините")
        await admin.wait_message(ACCEPTED)
        await admin.wait_message("У нас ошибка", timeout_s=120)
        assert len(user.messages) == heard
        user.send("/balance")
        await user.wait_message("Баланс")

    kit.tell(story, seed, **TWO)
