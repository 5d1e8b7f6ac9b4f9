"""Cancelling: free while only we have the order, honestly refused from then on."""

import pytest

from tests.stories import kit
from trt.sandbox.faults import Slow
from trt.sandbox.kie_script import Never, Refuse, Succeed
from trt.sandbox.telegram_user import FakeUser
from trt.testing.world import World

CANCEL = "❌ Отменить заказ"


async def _taps_cancel(w: World, user: FakeUser) -> str:
    """Tap on cancel, wherever its button is by now; returns the toast."""
    job = await kit.only_job(w, user)
    tap = user.tap_data(f"takeback:{job.job_id}")
    return (await user.wait_answer(tap)).text


@kit.SEEDS
def test_what_kie_has_goes_on_and_is_charged_only_if_it_comes(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(2)
        assert (await kit.only_job(w, anna)).state == "running"
        assert "отменить его нельзя" in await _taps_cancel(w, anna)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)
        assert "уже готов" in await _taps_cancel(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_nobody_is_told_that_an_order_of_unknown_fate_was_cancelled(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.faults.add("createTask", Slow(3600))
        await kit.orders_picture(anna)
        await w.settled(5)
        assert (await kit.only_job(w, anna)).state == "submitting"
        assert "отменить его нельзя" in await _taps_cancel(w, anna)
        await w.settled(40)
        assert (await kit.only_job(w, anna)).state == "submit_unknown"
        assert "отменить его нельзя" in await _taps_cancel(w, anna)
        await w.settled(w.config.submit_grace_s)
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.05, 0.1, 0.2, 0.5])
@kit.SEEDS
def test_a_cancel_that_races_the_submit_is_either_done_or_refused(
    seed: int, after_s: float
) -> None:
    """Whatever the race, the toast tells the truth, and the money agrees with it."""

    async def story(w: World) -> None:
        anna = w.telegram.user()
        confirmation = await kit.has_confirmation(anna)
        anna.tap(kit.CONFIRM, confirmation)
        await w.settled(after_s)
        rows = await w.rows("SELECT job_id FROM jobs")
        while not rows:
            await w.settled(0.01)
            rows = await w.rows("SELECT job_id FROM jobs")
        tap = anna.tap_data(f"takeback:{rows[0][0]}")
        answer = await anna.wait_answer(tap)
        await w.settled(120)
        job = await kit.only_job(w, anna)
        if answer.text == "Заказ отменён, деньги вернули":
            assert (job.state, job.reason) == ("failed", "USER_CANCELLED")
            assert not w.kie.tasks
            await kit.assert_refunded(w, anna)
        else:
            assert job.state == "delivered"
            assert len(w.kie.tasks) == 1
            await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_cancel_between_two_tries_ends_the_order(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Refuse(code=455, msg="maintenance"), times=10_000)
        await kit.orders_picture(anna)
        await w.settled(3)
        calls = len(w.kie.calls)
        assert await _taps_cancel(w, anna) == "Заказ отменён, деньги вернули"
        await w.settled(60)
        assert len(w.kie.calls) == calls
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_twenty_taps_on_cancel_give_the_money_back_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        app = w.network.apps.pop("kie.test")
        await kit.orders_picture(anna)
        await w.settled(2)
        job = await kit.only_job(w, anna)
        taps = [anna.tap_data(f"takeback:{job.job_id}") for _ in range(20)]
        answers = {(await anna.wait_answer(tap)).text for tap in taps}
        assert "Заказ отменён, деньги вернули" in answers
        w.network.apps["kie.test"] = app
        await w.settled(60)
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_nobody_can_cancel_or_fetch_what_is_somebody_elses(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        boris.send("/start")
        await boris.wait_message("Борис")
        w.kie.script(Never())
        await kit.orders_picture(anna)
        await w.settled(3)
        job = await kit.only_job(w, anna)
        for data in (f"takeback:{job.job_id}", f"result:{job.job_id}"):
            answer = await boris.wait_answer(boris.tap_data(data))
            assert answer.text == "Кнопка устарела"
        assert (await kit.only_job(w, anna)).state == "running"

    kit.tell(story, seed)


@kit.SEEDS
def test_a_limit_of_running_orders_is_said_and_lifts_when_one_is_made(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=30.0))
        await kit.orders_picture(anna)
        confirmation = await kit.has_confirmation(anna)
        tap = await kit.pressed(anna, kit.CONFIRM, confirmation)
        refused = anna.answer(tap)
        assert refused is not None
        assert "Сейчас идёт 1 заказ" in refused.text
        await w.settled(60)
        await kit.pressed(anna, kit.CONFIRM, confirmation)
        await w.settled(60)
        assert len(kit.pictures(anna)) == 2

    kit.tell(story, seed, environment={"ACTIVE_JOBS_MAX": "1"})
