"""Stars on two shards: each looks after its own users, however often the list is compared."""

import pytest

from tests.conftest import LogOfTest
from tests.stories import kit, till_kit
from tests.stories.shard_kit import assert_nothing_crossed, each_leads_one, users_of
from tests.stories.till_kit import ADMIN_ID, WORTH_KOPECKS
from trt.actors.chore import FIRST_AFTER_S
from trt.domain.payments import PaymentState
from trt.sandbox.telegram_user import FakeUser
from trt.telemetry.events import EventName
from trt.testing.world import World

TWO = {"environment": {"SHARDS": "2", "WELCOME_BALANCE_RUB": "0", "ADMIN_ID": str(ADMIN_ID)}}
HOUR_S = 3600.0


def one_of_each(w: World) -> list[FakeUser]:
    """Return a user of each shard, in order."""
    return [users_of(w, 0)[0], users_of(w, 1)[0]]


async def serve_again(w: World, *, apart: bool) -> None:
    """Let the service start anew, when every line of Telegram's list is ripe to be compared."""
    for instance in reversed(w.instances):
        await instance.stop()
    await w.settled(70)
    await w.start()
    await w.settled(2)
    if apart:
        await each_leads_one(w)
    await w.settled(5)


async def shards_of_money(w: World, user: FakeUser) -> list[int]:
    rows = await w.rows(
        "SELECT DISTINCT shard FROM payments WHERE user_id = :user UNION "
        "SELECT DISTINCT shard FROM transfers WHERE :user IN (debit_account_id, credit_account_id)",
        user=user.user_id,
    )
    return [shard for (shard,) in rows]


@kit.SEEDS
@pytest.mark.parametrize("apart", [True, False], ids=["two leaders", "one leader"])
def test_lost_payments_and_chargebacks_of_both_shards_are_found_once(
    seed: int,
    apart: bool,
) -> None:
    async def story(w: World) -> None:
        if apart:
            await each_leads_one(w)
        users = one_of_each(w)
        charges = []
        for user in users:
            await till_kit.pays(user, is_update_lost=True)
            charges.append(await till_kit.pays(user))
            await user.wait_message("Оплата получена")
        for charge_id in charges:
            w.telegram.till.charge_back(charge_id)
        w.telegram.till.debit(7)
        for _ in range(3):  # the same list again and again
            await serve_again(w, apart=apart)
        for number, user in enumerate(users):
            assert await till_kit.available(w, user) == WORTH_KOPECKS
            assert kit.count(user, "Оплата получена") == 2
            assert kit.count(user, "возвращён") == 1
            assert await shards_of_money(w, user) == [number]
        states = sorted(one.state for one in await till_kit.payments_in(w))
        assert states == [PaymentState.CREDITED] * 2 + [PaymentState.DISPUTED] * 2
        assert len(w.told(EventName.PAYMENT_CREDITED, found_by="reconciliation")) == 2
        assert len(w.told(EventName.PAYMENT_TAKEN_BACK)) == 2
        assert len(w.told(EventName.STARS_WENT)) == 1  # of nobody's, and so the first one's
        assert not w.told(EventName.STARS_UNKNOWN)
        if apart:
            await assert_nothing_crossed(w)

    kit.tell(story, seed, **TWO)


@kit.SEEDS
@pytest.mark.parametrize("apart", [True, False], ids=["two leaders", "one leader"])
def test_who_never_wrote_and_paid_unseen_gets_an_account_in_the_own_shard(
    seed: int, apart: bool
) -> None:
    async def story(w: World) -> None:
        anna, boris = one_of_each(w)
        invoice = await till_kit.has_invoice(anna)
        await till_kit.pays(boris, anna.forward(invoice), is_update_lost=True)
        await serve_again(w, apart=apart)
        assert await till_kit.available(w, boris) == WORTH_KOPECKS
        assert await shards_of_money(w, boris) == [1]
        sql = "SELECT shard FROM accounts WHERE account_id = :user"
        assert await w.rows(sql, user=boris.user_id) == [(1,)]

    kit.tell(story, seed, **TWO)


@kit.SEEDS_OF_HOURS
def test_hour_after_hour_the_list_says_nothing_new(seed: int) -> None:
    async def story(w: World) -> None:
        for user in one_of_each(w):
            await till_kit.has_paid(user)
        await w.settled(FIRST_AFTER_S + 1)
        looks_before = len(w.told(EventName.STARS_RECONCILED))
        assert looks_before == 2
        await w.settled(HOUR_S + 5)
        await serve_again(w, apart=False)
        looks = w.told(EventName.STARS_RECONCILED)
        assert len(looks) == looks_before + 4  # two shards, an hour later and after the start
        assert {(one.fields["credited"], one.fields["taken_back"]) for one in looks} == {(0, 0)}
        assert {one.fields["unknown"] for one in looks} == {0}
        rows = await w.rows("SELECT shard, lines_read FROM reconciliations ORDER BY shard")
        assert rows == [(0, 2), (1, 2)]  # both read all of it, each keeps its own
        left = await w.rows("SELECT 1 FROM payments WHERE confirmed_at IS NULL")
        assert left == []

    kit.tell(story, seed, **TWO)


@kit.SEEDS
def test_who_takes_a_shard_over_goes_on_where_the_list_was_read_to(seed: int) -> None:
    async def story(w: World) -> None:
        first, second = await each_leads_one(w)
        users = one_of_each(w)
        for user in users:
            await till_kit.pays(user, is_update_lost=True)
        w.lead_posts_to(second)
        await w.settled(70)
        await first.stop()
        await w.settled(5)
        assert [second.leads(0), second.leads(1)] == [True, True]
        assert await till_kit.available(w, users[0]) == WORTH_KOPECKS  # its new leader looked
        await second.stop()
        await w.start()
        await w.settled(5)
        assert [await till_kit.available(w, user) for user in users] == [WORTH_KOPECKS] * 2
        admin = till_kit.admin(w)
        admin.send(f"/payments {users[1].user_id}")
        await admin.wait_message("⭐100 · credited")

    kit.tell(story, seed, **TWO)


@pytest.mark.parametrize("shard", [0, 1])
def test_an_alarm_is_written_by_the_shard_in_which_it_was_raised(
    shard: int, log: LogOfTest
) -> None:
    log.claim("PAYMENT_ODD")

    async def story(w: World) -> None:
        await each_leads_one(w)
        admin, user = till_kit.admin(w), one_of_each(w)[shard]
        await till_kit.starts(admin)
        await till_kit.starts(user)
        user.pay_out_of_the_blue("order", 100, "USD")
        await admin.wait_message("Ничего не зачислено", timeout_s=60)
        rows = await w.rows(
            "SELECT shard, epoch FROM outbox WHERE chat_id = :id ORDER BY outbox_id DESC LIMIT 1",
            id=ADMIN_ID,
        )
        leases = await w.rows("SELECT epoch FROM lease WHERE name = :it", it=f"shard-{shard}")
        assert rows == [(shard, leases[0][0])]
        await assert_nothing_crossed(w)

    kit.tell(story, 0, **TWO)
