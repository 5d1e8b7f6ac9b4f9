"""An instance hangs or stops in the middle of a job: another one goes on, and charges once."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.stories import job_kit, kit
from tests.stories.test_jobs_delivery import LARGE
from trt.sandbox.faults import CutBefore, Slow, SlowAnswer
from trt.sandbox.kie_script import OFF, KIEOptions, Refuse, Succeed
from trt.sandbox.telegram_user import FakeUser
from trt.testing.world import World

Moment = Callable[[World, FakeUser], Awaitable[None]]


async def _in_line(w: World, anna: FakeUser) -> None:
    others = [w.telegram.user() for _ in range(40)]
    await job_kit.has_accounts([anna, *others])
    await job_kit.order_at_once(w, others)
    await w.settled(job_kit.SWEEP_S)
    await job_kit.order_at_once(w, [anna])
    await anna.wait_message("в очереди, место")


async def _while_kie_is_down(w: World, anna: FakeUser) -> None:
    app = w.network.apps.pop("kie.test")
    await kit.orders_picture(anna)
    await w.settled(10)
    w.network.apps["kie.test"] = app


async def _in_the_middle_of_create_task(w: World, anna: FakeUser) -> None:
    w.kie.faults.add("createTask", SlowAnswer(20.0))
    await kit.orders_picture(anna)
    await w.settled(1)


async def _between_two_polls(w: World, anna: FakeUser) -> None:
    w.kie.script(Succeed(after_s=20.0, callbacks=OFF))
    await kit.orders_picture(anna)
    await w.settled(10)


async def _in_the_middle_of_a_poll(w: World, anna: FakeUser) -> None:
    w.kie.script(Succeed(after_s=5.0, callbacks=OFF))
    w.kie.faults.add("recordInfo", Slow(14.0))
    await kit.orders_picture(anna)
    await w.settled(6)


async def _while_the_result_is_fetched(w: World, anna: FakeUser) -> None:
    w.kie.faults.add("results", Slow(60.0))
    await kit.orders_picture(anna)
    await w.settled(10)


async def _between_preview_and_original(w: World, anna: FakeUser) -> None:
    job_kit.serve_results(w, LARGE, "image/png")
    w.telegram.faults.add("sendDocument", Slow(60.0))
    await kit.orders_picture(anna)
    await anna.wait_message(lambda message: message.kind == "photo")
    await w.settled(2)


async def _after_the_offer(w: World, anna: FakeUser) -> None:
    w.telegram.faults.add("sendPhoto", CutBefore(), times=5)
    await kit.orders_picture(anna)
    offer = await anna.wait_message("отправить его не вышло", 300)
    w.telegram.faults.add("sendPhoto", Slow(60.0))
    await kit.pressed(anna, "📥 Получить результат", offer)
    await w.settled(1)


MOMENTS = [
    _in_line,
    _while_kie_is_down,
    _in_the_middle_of_create_task,
    _between_two_polls,
    _in_the_middle_of_a_poll,
    _while_the_result_is_fetched,
    _between_preview_and_original,
    _after_the_offer,
]


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__.lstrip("_"))
@pytest.mark.parametrize("is_planned", [True, False], ids=["stop", "zombie"])
@kit.SEEDS
def test_a_takeover_in_the_middle_ends_in_one_result_and_one_charge(
    seed: int, is_planned: bool, moment: Moment
) -> None:
    async def story(w: World) -> None:
        anna, first = w.telegram.user(), w.bot
        second = await w.start()
        w.lead_posts_to(first)
        await moment(w, anna)
        w.lead_posts_to(second)
        if is_planned:
            await first.stop()
        else:
            first.lease_trouble.hold(None)  # it hangs; it can renew nothing and commit nothing
        await w.settled(5)
        assert second.leads()
        await w.settled(150)
        own = [task for task in w.kie.tasks if str(anna.user_id) == task.given["prompt"]]
        assert len(own or w.kie.tasks) == 1
        assert 1 <= len(kit.pictures(anna)) <= 2  # an ambiguous send may come twice
        await kit.assert_paid_once(w, anna)
        [[open_attempts]] = await w.rows("SELECT count(*) FROM job_attempts WHERE outcome IS NULL")
        assert open_attempts == 0
        if not is_planned:
            first.lease_trouble.release(None)

    kit.tell(story, seed, environment={"ACTIVE_JOBS_MAX": "9"}, checks_taps=False)


@pytest.mark.parametrize("is_planned", [True, False], ids=["stop", "zombie"])
@kit.SEEDS
def test_two_holders_in_one_window_stay_within_kies_limit(seed: int, is_planned: bool) -> None:
    async def story(w: World) -> None:
        users = [w.telegram.user() for _ in range(8)]
        await job_kit.has_accounts(users)
        first, second = w.bot, await w.start()
        await job_kit.order_at_once(w, users * 5)
        await job_kit.called(w, 18)
        if is_planned:
            await first.stop()
        else:
            first.lease_trouble.hold(None)
        await w.settled(4)
        assert second.leads()
        assert len(w.kie.tasks) == 18  # the window is still that of the first
        await w.settled(60)
        assert len(w.kie.tasks) == 40
        assert job_kit.most_within([task.created for task in w.kie.tasks], 10.0) <= 20
        if not is_planned:
            first.lease_trouble.release(None)

    kit.tell(story, seed, kie=KIEOptions(is_rate_limited=False), checks_taps=False)


@kit.SEEDS
def test_an_order_that_has_rested_does_not_rest_again_after_a_takeover(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Refuse(code=455, msg="maintenance"))
        await kit.orders_picture(anna)
        await w.settled(0.5)
        assert not w.kie.tasks
        await w.bot.stop()
        await trio.sleep(10)
        second = await w.start()
        await w.settled(1)
        assert second.leads()
        assert len(w.kie.tasks) == 1

    kit.tell(story, seed, checks_taps=False)


@kit.SEEDS
def test_a_call_that_was_cut_off_is_interrupted_and_not_failed(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await _in_the_middle_of_create_task(w, anna)
        await w.bot.stop()
        [[state]] = await w.rows("SELECT state FROM jobs")
        assert state == "submitting"
        await w.start()
        await w.settled(30)
        attempts = await w.rows("SELECT attempt, outcome, task_id FROM job_attempts")
        assert attempts == [(1, "interrupted", w.kie.tasks[0].task_id)]
        await w.settled(60)
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)
