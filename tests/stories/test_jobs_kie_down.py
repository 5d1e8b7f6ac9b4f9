"""KIE is down: no storm of calls, no order lost, and when it is back they go on by themselves."""

from tests.conftest import LogOfTest
from tests.stories import job_kit, kit
from trt.sandbox.kie_script import Refuse
from trt.telemetry.events import EventName
from trt.testing.world import World

DOWN = Refuse(code=500, msg="Server exception, please try again later")
MANY = {"ACTIVE_JOBS_MAX": "20"}


@kit.SEEDS
def test_a_kie_that_is_down_for_ten_minutes_is_left_in_peace(seed: int) -> None:
    async def story(w: World) -> None:
        users = [w.telegram.user() for _ in range(20)]
        await job_kit.has_accounts(users)
        w.kie.script(DOWN, times=10_000)
        await job_kit.order_at_once(w, users * 2)
        await w.settled(600)
        calls = [call for call in w.kie.calls if call.name == "createTask"]
        # A window of orders that were called together, and then one trial at a time.
        assert len(calls) <= 18 + 600 / 15
        opened = w.told(EventName.KIE_BREAKER, state="open")
        assert opened
        for user in users:
            jobs = await kit.jobs_of(w, user)
            assert {(job.state, job.reason) for job in jobs} == {("failed", "KIE_UNAVAILABLE")}
            money = await w.balance(user.user_id)
            assert (money.available_kopecks, money.reserved_kopecks) == (kit.WELCOME_KOPECKS, 0)

    kit.tell(story, seed, environment=MANY)


@kit.SEEDS
def test_orders_that_wait_out_an_outage_are_all_made_once(seed: int) -> None:
    async def story(w: World) -> None:
        users = [w.telegram.user() for _ in range(10)]
        await job_kit.has_accounts(users)
        app = w.network.apps.pop("kie.test")
        await job_kit.order_at_once(w, users * 2)
        await w.settled(100)
        waiting = [job for user in users for job in await kit.jobs_of(w, user)]
        assert {job.state for job in waiting} == {"reserved"}
        w.network.apps["kie.test"] = app
        await w.settled(180)
        assert w.told(EventName.KIE_BREAKER, state="closed")
        assert len(w.kie.tasks) == 20
        for user in users:
            assert len(kit.pictures(user)) == 2

    kit.tell(story, seed, environment=MANY)


@kit.SEEDS
def test_an_order_that_waits_for_kie_can_still_be_cancelled(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        del w.network.apps["kie.test"]
        await kit.orders_picture(anna)
        await w.settled(3)
        status = await anna.wait_message("заказ принят")
        await kit.pressed(anna, "❌ Отменить заказ", status)
        await w.settled(60)
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "USER_CANCELLED")
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_an_account_without_credits_is_told_to_the_operator_and_refunded(
    seed: int, log: LogOfTest
) -> None:
    log.claim("OPERATOR_ALARM")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.credits = 0.0
        await kit.orders_picture(anna)
        await anna.wait_message("не получилось")
        await w.settled()
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "KIE_NO_CREDITS")
        [alarm] = w.told(EventName.OPERATOR_ALARM)
        assert alarm.fields["reason_code"] == "KIE_NO_CREDITS"
        assert kit.pictures(anna) == []  # an honest failure, not a pretended success
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_paused_model_is_told_to_the_operator(seed: int, log: LogOfTest) -> None:
    log.claim("OPERATOR_ALARM")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.paused_models.add("z-image")
        await kit.orders_picture(anna)
        await anna.wait_message("приостановили")
        await w.settled()
        [alarm] = w.told(EventName.OPERATOR_ALARM)
        assert alarm.fields["reason_code"] == "KIE_MODEL_GONE"
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)
