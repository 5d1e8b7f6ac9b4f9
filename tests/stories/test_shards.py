"""Two shards: each instance leads one and is passive for the other, and no user notices."""

import pytest
import trio

from tests.stories import job_kit, kit
from tests.stories.shard_kit import assert_nothing_crossed, each_leads_one, users_of
from trt.domain.ids import UserId
from trt.domain.shard import shard_of
from trt.sandbox.kie_script import KIEOptions
from trt.sandbox.telegram_user import FakeUser
from trt.telemetry.events import EventName
from trt.testing.world import World

TWO = {"SHARDS": "2"}


def _one_of_each(w: World) -> list[FakeUser]:
    """Return two users of each shard."""
    return [*users_of(w, 0), *users_of(w, 1)]


@pytest.mark.parametrize("door", [0, 1])
@kit.SEEDS
def test_two_instances_lead_a_shard_each_and_serve_all_by_either_door(seed: int, door: int) -> None:
    async def story(w: World) -> None:
        pair = await each_leads_one(w)
        w.lead_posts_to(pair[door])
        users = _one_of_each(w)
        async with trio.open_nursery() as nursery:
            for user in users:
                nursery.start_soon(kit.orders_picture, user)
        await w.settled(120)
        for user in users:
            assert len(kit.pictures(user)) == 1
            await kit.assert_paid_once(w, user)
            shard = shard_of(UserId(user.user_id), 2)
            rows = await w.rows(
                "SELECT DISTINCT shard FROM jobs WHERE user_id = :user UNION "
                "SELECT DISTINCT shard FROM inbox WHERE user_id = :user UNION "
                "SELECT DISTINCT shard FROM outbox WHERE chat_id = :user UNION "
                "SELECT DISTINCT shard FROM accounts WHERE account_id = :user",
                user=user.user_id,
            )
            assert rows == [(shard,)]
        await assert_nothing_crossed(w)
        assert not w.told(EventName.PASSIVE_REJECT)
        assert await _earned(w) == [2 * kit.PICTURE_KOPECKS] * 2

    kit.tell(story, seed, environment=TWO)


async def _earned(w: World) -> list[int]:
    """Return what each shard has earned, in kopecks; its transfers touch its own accounts only."""
    rows = await w.rows(
        "SELECT debit.shard, credit.shard, sum(amount_kopecks) FROM transfers "
        "JOIN accounts AS debit ON debit.account_id = debit_account_id "
        "JOIN accounts AS credit ON credit.account_id = credit_account_id "
        "WHERE transfers.kind = 'post' GROUP BY debit.shard, credit.shard ORDER BY debit.shard"
    )
    assert [row[0] for row in rows] == [row[1] for row in rows]
    return [int(row[2]) for row in rows]


@kit.SEEDS
def test_who_is_left_alone_leads_both_shards(seed: int) -> None:
    async def story(w: World) -> None:
        first, second = await each_leads_one(w)
        w.lead_posts_to(second)
        await first.stop()
        await w.settled(0.3)
        assert [second.leads(0), second.leads(1)] == [True, True]
        for user in _one_of_each(w):
            await kit.orders_picture(user)
        await w.settled(60)
        assert len(w.told(EventName.TASK_COMPLETED, outcome="delivered")) == 4

    kit.tell(story, seed, environment=TWO)


@kit.SEEDS
def test_each_shard_has_its_keeper_and_the_first_does_what_is_done_once(seed: int) -> None:
    async def story(w: World) -> None:
        names = [one.name for one in w.bot.app.tree.snapshot().children]
        assert names[-2:] == ["lock_keepers", "door"]
        [keepers] = [
            one for one in w.bot.app.tree.snapshot().children if one.name == "lock_keepers"
        ]
        assert [one.name for one in keepers.children] == ["lock_keeper_0", "lock_keeper_1"]
        first, second = (
            {one.name for one in keeper.children[0].children} for keeper in keepers.children
        )
        assert second < first
        assert first - second == {"webhook", "menu", "auditor"}

    kit.tell(story, seed, environment=TWO)


@pytest.mark.parametrize("is_left_alone", [False, True])
@kit.SEEDS
def test_two_leaders_together_stay_within_kies_limit(seed: int, is_left_alone: bool) -> None:
    """Also while one of them leaves its shard to the other in the middle of a window."""

    async def story(w: World) -> None:
        users = _one_of_each(w)
        await job_kit.has_accounts(users)
        first, second = await each_leads_one(w)
        w.lead_posts_to(second)
        await job_kit.order_at_once(w, users * 10)
        await job_kit.called(w, 10)
        if is_left_alone:
            await first.stop()
        await w.settled(60)
        assert len(w.kie.tasks) == 40
        assert job_kit.most_within([task.created for task in w.kie.tasks], 10.0) <= 20

    kit.tell(story, seed, environment=TWO, kie=KIEOptions(is_rate_limited=False))
