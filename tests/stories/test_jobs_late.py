"""KIE finishes after the refund: the result is given away, counted, and never charged."""

import pytest

from tests.stories import kit
from trt.sandbox.kie_script import OFF, Fail, Never, Succeed, delayed
from trt.telemetry.events import EventName
from trt.testing.world import World

DEADLINE_S = 300.0


@kit.SEEDS
def test_a_success_after_the_deadline_is_given_away_at_its_callback(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=DEADLINE_S + 60))
        await kit.orders_picture(anna)
        failure = await anna.wait_message("не получилось", 400)
        assert "отдадим его бесплатно" in failure.text
        await w.settled(120)
        [picture] = kit.pictures(anna)
        assert "бесплатный" in picture.text
        assert len(w.told(EventName.LATE_RESULT)) == 1
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "DEADLINE")
        await kit.assert_refunded(w, anna)
        anna.send("/jobs")
        page = await anna.wait_message("пришло позже срока")
        assert page.button("📥 Получить 1") is not None

    kit.tell(story, seed)


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_late_success_that_nobody_calls_back_about_is_found_by_looking(
    is_stopped: bool,
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=DEADLINE_S + 60, callbacks=OFF))
        await kit.orders_picture(anna)
        await anna.wait_message("не получилось", 400)
        if is_stopped:
            await w.bot.stop()
            await w.settled(3600)
            await w.start()
            await w.settled(30)
        else:
            await w.settled(700)
        assert len(kit.pictures(anna)) == 1
        assert len(w.told(EventName.LATE_RESULT)) == 1
        await kit.assert_refunded(w, anna)

    kit.tell(story)


@kit.SEEDS
def test_a_late_result_comes_once_however_often_kie_calls(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=DEADLINE_S + 5, callbacks=delayed(5.0)))
        await kit.orders_picture(anna)
        await w.settled(DEADLINE_S + 60)
        [task] = w.kie.tasks
        assert task.callback_url is not None
        for _ in range(3):
            answer = await w.http.post(task.callback_url, json={"data": {"taskId": task.task_id}})
            assert answer.status_code == 200
            await w.settled(5)
        assert len(kit.pictures(anna)) == 1
        assert len(w.told(EventName.LATE_RESULT)) == 1
        assert not w.told(EventName.DEAD_LETTER)
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_late_failure_changes_nothing(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Fail(after_s=DEADLINE_S + 30))
        await kit.orders_picture(anna)
        await w.settled(DEADLINE_S + 90)
        assert kit.pictures(anna) == []
        [[look_again_at]] = await w.rows("SELECT look_again_at FROM jobs")
        assert look_again_at is None
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_job_that_kie_itself_has_ended_is_not_asked_about_again(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Fail())
        await kit.orders_picture(anna)
        await anna.wait_message("не получилось")
        [task] = w.kie.tasks
        assert task.callback_url is not None
        polls = task.polls
        await w.http.post(task.callback_url, json={"data": {"taskId": task.task_id}})
        await w.settled(30)
        assert task.polls == polls
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


def test_after_a_day_nobody_looks_any_more() -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Never())
        await kit.orders_picture(anna)
        await anna.wait_message("не получилось", 400)
        await kit.a_day_later(w)
        [task] = w.kie.tasks
        polls = task.polls
        [[look_again_at]] = await w.rows("SELECT look_again_at FROM jobs")
        assert look_again_at is None
        await w.settled(60)
        assert task.polls == polls
        await kit.assert_refunded(w, anna)

    kit.tell(story)
