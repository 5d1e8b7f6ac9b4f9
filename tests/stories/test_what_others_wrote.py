"""Rows that this code cannot read, hosts that do not answer, ids that do not fit: one room each."""

import httpx

from tests.stories import kit, till_kit
from trt.domain.ids import JobId
from trt.sandbox.faults import ServerError
from trt.sandbox.kie_script import POLICY, Refuse, Succeed
from trt.telemetry.events import EventName
from trt.testing.world import World


@kit.SEEDS
def test_a_conversation_of_another_release_begins_anew(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        anna.send("/start")
        menu = await anna.wait_message("Анна")
        await w.rows("UPDATE sessions SET screen_id = 'A_SCREEN_OF_TOMORROW'")
        anna.send("/balance")
        await anna.wait_message("100 ₽", after=menu)
        assert len(w.told(EventName.SESSION_RESET)) == 1
        boris.send("/start")
        await boris.wait_message("Борис")

    kit.tell(story, seed)


@kit.SEEDS
def test_an_outbox_row_of_another_release_is_put_aside(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        anna.send("/start")
        menu = await anna.wait_message("Анна")
        w.bot.trouble.hold("claim")
        anna.send("/help")
        await w.settled(1)
        await w.rows("UPDATE outbox SET reply = '{\"screen\": 7}' WHERE state = 'pending'")
        w.bot.trouble.release("claim")
        boris.send("/start")
        await boris.wait_message("Борис")
        anna.send("/balance")
        await anna.wait_message("100 ₽", after=menu)
        [(state,)] = await w.rows("SELECT state FROM outbox WHERE reply = '{\"screen\": 7}'")
        assert state == "failed"

    kit.tell(story, seed)


@kit.SEEDS
def test_a_failed_job_of_another_release_that_may_come_late_crashes_nobody(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        w.kie.script(POLICY)
        await kit.orders_picture(anna)
        await w.settled(60)
        await kit.assert_refunded(w, anna)
        await w.rows("UPDATE jobs SET params = '<of tomorrow>', look_again_at = 0")
        await till_kit.restart(w, 1)
        await w.settled(60)
        assert not w.told(EventName.ACTOR_CRASHED)
        await kit.orders_picture(boris)
        await w.settled(60)
        await kit.assert_paid_once(w, boris)
        [(state, params)] = await w.rows("SELECT state, params FROM jobs WHERE params LIKE '<%'")
        assert (state, params) == ("failed", "<of tomorrow>")

    kit.tell(story, seed)


@kit.SEEDS
def test_the_result_of_a_job_of_another_release_is_sent_and_its_money_stays_held(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.has_confirmation(anna)
        w.bot.trouble.hold("claim")
        anna.tap(kit.CONFIRM)
        await w.settled(90)
        await w.rows("UPDATE jobs SET params = '<of tomorrow>'")
        w.bot.trouble.release("claim")
        await w.settled(60)
        assert len(kit.pictures(anna)) == 1
        assert not w.told(EventName.ACTOR_CRASHED)
        assert (await w.balance(anna.user_id)).reserved_kopecks == kit.PICTURE_KOPECKS
        assert (await kit.only_job(w, anna)).state == "delivering"

    kit.tell(story, seed, checks_taps=False)


@kit.SEEDS
def test_a_result_that_cannot_be_fetched_does_not_silence_its_chat(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.faults.add("results", ServerError(503), times=10_000)
        await kit.orders_picture(anna)
        await w.settled(60)
        last = anna.last
        anna.send("/balance")
        await anna.wait_message("В резерве", after=last, timeout_s=5)
        await anna.wait_message("отправить его не вышло", timeout_s=3600)
        await kit.a_day_later(w)
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_an_order_that_kie_took_after_all_is_not_sent_again(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Refuse(code=429, msg="Your call frequency is too high."))
        await kit.orders_picture(anna)
        await w.settled(0.5)
        job = await kit.only_job(w, anna)
        url = w.bot.app.parts.callback_url(JobId(job.job_id))
        assert url is not None
        w.kie.script(Succeed())
        taken = await w.http.post(
            "https://kie.test/api/v1/jobs/createTask",
            headers={"Authorization": f"Bearer {w.config.kie_api_key.reveal()}"},
            json={"model": "z-image", "input": {"prompt": "x", "aspect_ratio": "1:1"}},
        )
        task_id = taken.json()["data"]["taskId"]
        answer = await w.http.post(url, json={"code": 200, "data": {"taskId": task_id}})
        assert answer.status_code == 200
        await w.settled(120)
        assert len(w.kie.tasks) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_an_id_that_no_database_holds_crashes_nobody(seed: int) -> None:
    async def story(w: World) -> None:
        body = b'{"update_id": 5, "message": {"message_id": 1, "date": 1, "text": "x", "chat": '
        body += b'{"id": 9223372036854775808, "type": "private"}, '
        body += b'"from": {"id": 9223372036854775808, "is_bot": false, "first_name": "x"}}}'
        response: httpx.Response = await w.post(body)
        assert response.status_code == 200
        anna = w.telegram.user()
        anna.send("/start")
        await anna.wait_message("Анна")

    kit.tell(story, seed)


@kit.SEEDS
def test_health_and_log_name_no_user(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("/start")
        await anna.wait_message("Анна")
        health = await w.http.get("https://bot.test/health")
        assert "sessions" in health.text
        assert str(anna.user_id) not in health.text
        for event in w.events:
            assert str(anna.user_id) not in str(event.fields.get("actor", ""))

    kit.tell(story, seed)


@kit.SEEDS
def test_an_order_whose_deadline_passed_while_it_waited_is_refunded(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Refuse(code=455, msg="maintenance"), times=10_000)
        await kit.orders_picture(anna)
        await w.settled(3)
        await w.bot.stop()
        await w.settled(3600)
        await w.start()
        await w.settled(60)
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "KIE_UNAVAILABLE")
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)
