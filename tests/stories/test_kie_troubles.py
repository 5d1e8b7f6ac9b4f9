"""KIE fails, sleeps, forgets to call, calls twice or too early: one charge or a refund."""

import httpx
import trio

from tests.conftest import LogOfTest
from tests.stories import kit
from trt.sandbox.faults import Call, CutAfter, CutBefore, ServerError, Slow
from trt.sandbox.kie_script import (
    BEFORE_ANSWER,
    OFF,
    TWICE,
    Fail,
    KIEOptions,
    Never,
    Refuse,
    Succeed,
    delayed,
)
from trt.telemetry.events import EventName
from trt.testing.world import World


@kit.SEEDS
def test_a_failed_generation_is_refunded_and_explained(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Fail())
        await kit.orders_picture(anna)
        await anna.wait_message("не получилось")
        await w.settled()
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "KIE_FAILED")
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_an_order_that_kie_refuses_is_refunded_at_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Refuse(code=422, msg="prompt violates the policy"))
        await kit.orders_picture(anna)
        await w.settled()
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "KIE_POLICY")
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_generation_that_never_ends_is_refunded_at_its_deadline(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Never())
        await kit.orders_picture(anna)
        began = trio.current_time()
        await anna.wait_message("не получилось", 3600)
        assert trio.current_time() - began <= _deadline_s(w) + 1
        await w.settled()
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "DEADLINE")
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_kie_that_stays_down_is_named_and_the_money_comes_back(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        del w.network.apps["kie.test"]
        await kit.orders_picture(anna)
        await anna.wait_message("не получилось", 3600)
        await w.settled()
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "KIE_UNAVAILABLE")
        assert job.attempt > 3
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_kie_that_comes_back_in_time_delivers(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        app = w.network.apps.pop("kie.test")
        await kit.orders_picture(anna)
        await w.settled(40)
        w.network.apps["kie.test"] = app
        await w.settled(120)
        assert len(w.kie.tasks) == 1
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_kie_that_answers_429_is_asked_again_later(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Refuse(code=429, msg="too often"), times=2)
        await kit.orders_picture(anna)
        await w.settled(120)
        assert (await kit.only_job(w, anna)).attempt == 3
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_callback_before_the_answer_of_create_task_is_not_lost(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(callbacks=BEFORE_ANSWER))
        await kit.orders_picture(anna)
        await w.settled(120)
        [task] = w.kie.tasks
        assert task.callback_statuses == [200]
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_lost_callback_is_made_up_for_by_polling(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=20.0, callbacks=OFF))
        await kit.orders_picture(anna)
        await w.settled(60)
        assert not w.told(EventName.KIE_CALLBACK)
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_callback_is_quicker_than_the_next_poll(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=100.0))
        await kit.orders_picture(anna)
        began = trio.current_time()
        await anna.wait_message(lambda message: message.kind == "photo", 300)
        assert trio.current_time() - began < 101

    kit.tell(story, seed)


@kit.SEEDS
def test_a_callback_that_comes_twice_delivers_and_charges_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(callbacks=TWICE))
        await kit.orders_picture(anna)
        await w.settled(120)
        [task] = w.kie.tasks
        assert task.callback_statuses == [200, 200]
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)
        assert not w.told(EventName.DEAD_LETTER)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_callback_long_after_the_end_wakes_nobody(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=2.0, callbacks=delayed(200.0)))
        await kit.orders_picture(anna)
        await w.settled(400)
        assert len(w.told(EventName.KIE_CALLBACK)) == 1
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)
        assert not w.told(EventName.DEAD_LETTER)

    kit.tell(story, seed)


@kit.SEEDS
def test_an_order_whose_answer_was_lost_is_adopted_by_its_callback(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.faults.add("createTask", CutAfter())
        await kit.orders_picture(anna)
        await w.settled(120)
        assert len(w.kie.tasks) == 1  # it was never ordered a second time
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_an_order_whose_answer_and_callback_were_lost_is_refunded_after_the_grace(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(callbacks=OFF))
        w.kie.faults.add("createTask", CutAfter())
        await kit.orders_picture(anna)
        await w.settled(w.config.submit_grace_s - 1)
        assert (await kit.only_job(w, anna)).state == "submit_unknown"
        await w.settled(30)
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "SUBMIT_UNKNOWN")
        assert len(w.kie.tasks) == 1
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_success_after_the_refund_is_given_away(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        late_s = w.config.submit_grace_s + 60
        w.kie.script(Succeed(after_s=late_s))
        w.kie.faults.add("createTask", CutAfter())
        await kit.orders_picture(anna)
        await w.settled(late_s + 120)
        [task] = w.kie.tasks
        assert task.callback_statuses == [200]
        [picture] = kit.pictures(anna)
        assert "бесплатный" in picture.text
        [event] = w.told(EventName.LATE_RESULT)
        assert event.fields["reason_code"] == "SUBMIT_UNKNOWN"
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_an_order_that_surely_never_arrived_is_still_not_repeated_blindly(seed: int) -> None:
    """A cut connection says nothing about what the other side did."""

    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.faults.add("createTask", CutBefore())
        await kit.orders_picture(anna)
        await w.settled(w.config.submit_grace_s + 60)
        assert len(w.kie.tasks) == 0
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_kie_that_hangs_in_create_task_holds_up_nobody_else(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        w.kie.faults.add("createTask", Slow(3600))
        await kit.orders_picture(anna)
        await kit.orders_picture(boris)
        await boris.wait_message(lambda message: message.kind == "photo", 60)
        await w.settled(w.config.submit_grace_s + 120)
        await kit.assert_refunded(w, anna)
        await kit.assert_paid_once(w, boris)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_result_that_cannot_be_fetched_at_first_is_fetched_later(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.faults.add("results", ServerError(503), times=3)
        await kit.orders_picture(anna)
        await w.settled(200)
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_polls_that_fail_do_not_end_a_job(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(callbacks=OFF))
        w.kie.faults.add("recordInfo", ServerError(502), times=4)
        w.kie.faults.add("recordInfo", CutBefore(), times=2)
        await kit.orders_picture(anna)
        await w.settled(200)
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed, kie=KIEOptions(visible_after_s=8.0))


def test_a_callback_with_garbage_is_refused_and_the_job_goes_on(log: LogOfTest) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=30.0, callbacks=OFF))
        urls: list[str] = []

        async def remember(_: Call) -> None:
            urls.extend(task.callback_url or "" for task in w.kie.tasks)

        w.kie.after_call = remember
        await kit.orders_picture(anna)
        await w.settled(5)
        for body in (b"", b"not json", b"[]", b'{"data": {}}', b'{"data": 7}', b"[" * 100_000):
            response = await w.http.post(urls[0], content=body)
            assert response.status_code == httpx.codes.BAD_REQUEST
            assert "task" in response.json()["problem"]
        other = await w.http.post(urls[0] + "x", content=b'{"data":{"taskId":"t"}}')
        assert other.status_code == httpx.codes.FORBIDDEN
        await w.settled(120)
        await kit.assert_paid_once(w, anna)

    kit.tell(story)
    assert "AUTH_REFUSED" in log.text()


@kit.SEEDS
def test_a_callback_that_names_another_task_is_only_a_wake_up(seed: int) -> None:
    """Whoever knows the address cannot make a job end: KIE's record decides."""

    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Never())
        await kit.orders_picture(anna)
        await w.settled(5)
        [task] = w.kie.tasks
        assert task.callback_url is not None
        body = b'{"code":200,"data":{"taskId":"forged","state":"success","resultJson":"{}"}}'
        response = await w.http.post(task.callback_url, content=body)
        assert response.status_code == httpx.codes.OK
        await w.settled(5)
        assert (await kit.only_job(w, anna)).state == "running"
        assert kit.pictures(anna) == []

    kit.tell(story, seed)


def _deadline_s(w: World) -> float:
    return next(
        card.deadline_s
        for model_id, card in w.bot.app.parts.shop.catalogue.models.items()
        if model_id == "z-image"
    )
