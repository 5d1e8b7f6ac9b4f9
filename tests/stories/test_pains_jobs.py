"""The production pains of the original that concern jobs, each by its number and what it was."""

from decimal import Decimal

import pytest
import trio

from tests.conftest import LogOfTest
from tests.stories import kit
from trt.catalog.payload import build_input
from trt.domain import form
from trt.domain.ids import ModelId
from trt.sandbox.kie_models import checked_model
from trt.sandbox.kie_script import OFF, Never, Refuse, Succeed
from trt.supervision import ActorSnapshot
from trt.telemetry.events import EventName
from trt.testing.virtual_time import VirtualSources
from trt.testing.world import World


def _live_jobs(snapshot: ActorSnapshot) -> list[int]:
    """Return how many job actors live, for each directory of them in the tree."""
    own = [len(snapshot.children)] if snapshot.name == "jobs" else []
    return own + [count for child in snapshot.children for count in _live_jobs(child)]


@kit.SEEDS
def test_pain_16_a_double_delivery_charges_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(60)
        for _ in range(3):
            anna.send("/jobs")
            await w.settled(3)
            await kit.pressed(anna, "📥 Получить 1", anna.last)
            await w.settled(10)
        assert len(kit.pictures(anna)) == 4
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_17_a_402_of_the_provider_is_no_pretended_success(seed: int, log: LogOfTest) -> None:
    log.claim("OPERATOR_ALARM")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Refuse(code=402, msg="Insufficient Credits"))
        await kit.orders_picture(anna)
        await w.settled()
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "KIE_NO_CREDITS")
        assert kit.pictures(anna) == []
        assert w.told(EventName.OPERATOR_ALARM, reason_code="KIE_NO_CREDITS")
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_18_telegram_has_its_200_long_before_the_generation_ends(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=60.0))
        confirmation = await kit.has_confirmation(anna)
        began_s = trio.current_time()
        tap = anna.tap(kit.CONFIRM, confirmation)
        await anna.wait_answer(tap)
        assert trio.current_time() - began_s < 1.0
        update = w.telegram.update(tap.update_id)
        assert update.attempts == [200]
        await w.settled(120)
        assert update.attempts == [200]  # and it was never delivered again
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_19_polling_ends_when_a_callback_has_finished_the_job(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=30.0))
        await kit.orders_picture(anna)
        await w.settled(60)
        [task] = w.kie.tasks
        polls = task.polls
        await w.settled(300)
        assert task.polls == polls
        assert _live_jobs(w.bot.app.tree.snapshot()) == [0]
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_19_polling_has_an_end_also_without_any_callback(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Never())
        await kit.orders_picture(anna)
        await anna.wait_message("не получилось", 400)
        [task] = w.kie.tasks
        polls = task.polls
        await w.settled(300)
        assert task.polls == polls
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@pytest.mark.parametrize("gone_s", [10.0, 4000.0])
def test_pain_20_what_was_under_way_at_a_restart_is_reconciled(gone_s: float) -> None:
    """There every comparison of a naive with an aware time crashed, and the results were lost."""

    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        w.kie.script(Succeed(after_s=8.0, callbacks=OFF), times=2)
        await kit.orders_picture(anna)
        await kit.orders_picture(boris)
        await w.settled(2)
        await w.bot.stop()
        await w.settled(gone_s)
        await w.start()
        await w.settled(60)
        for user in (anna, boris):
            assert len(kit.pictures(user)) == 1
            await kit.assert_paid_once(w, user)
        for column in ("created_at", "deadline_at", "submitted_at", "ready_at", "ended_at"):
            [[odd]] = await w.rows(f"SELECT count(*) FROM jobs WHERE typeof({column}) <> 'real'")
            assert odd == 0, column

    kit.tell(story)


def test_pain_24_no_order_that_the_form_lets_through_is_refused_by_kie() -> None:
    """There KIE's 422 for missing fields and wrong values reached users every week."""

    async def story(w: World) -> None:
        for card in w.bot.app.parts.shop.catalogue.models.values():
            for param in card.params:
                for choice in param.choices:
                    values = {param.name: choice.value}
                    complete = form.complete(card, {"prompt": "лиса", **values})
                    payload = build_input(card, complete, {})
                    model = checked_model(card.model_id, payload)  # raises what KIE would answer
                    credits_ = Decimal(str(model.credits(payload)))
                    assert credits_ == card.quote(complete).price_credits

    kit.tell(story)


@kit.SEEDS
def test_pain_28_twenty_clicks_on_confirm_are_one_job_and_one_charge(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        confirmation = await kit.has_confirmation(anna)
        taps = [anna.tap(kit.CONFIRM, confirmation) for _ in range(20)]
        for tap in taps:
            await anna.wait_answer(tap)
        await w.settled(120)
        assert len(await kit.jobs_of(w, anna)) == 1
        assert len(w.kie.tasks) == 1
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_28_a_user_who_spams_is_limited_and_told_so(seed: int) -> None:
    """There it was 5 a minute and 20 an hour; here it is as many at once as configured."""

    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Never(), times=9)
        for _ in range(3):
            await kit.orders_picture(anna)
        refused = await kit.orders_picture(anna)
        answer = anna.answer(refused)
        assert answer is not None
        assert "Сейчас идут 3 заказа" in answer.text
        assert len(await kit.jobs_of(w, anna)) == 3

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_28_an_order_without_a_task_id_leaves_nobody_hanging(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Refuse(code=200, msg="success"))  # an envelope that says yes and names no task
        await kit.orders_picture(anna)
        await w.settled(w.config.submit_grace_s + 30)
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "SUBMIT_UNKNOWN")
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_30_a_race_of_delivery_and_refund_gives_nothing_away(seed: int) -> None:
    """There the charge came after the delivery, and who won the race had it for nothing."""

    async def story(w: World) -> None:
        anna = w.telegram.user()
        deadline_s = w.bot.app.parts.shop.catalogue.models[ModelId("z-image")].deadline_s
        chance = VirtualSources(seed).random()
        w.kie.script(Succeed(after_s=deadline_s - 0.5 + chance.random()))
        await kit.orders_picture(anna)
        await w.settled(deadline_s + 90)
        job = await kit.only_job(w, anna)
        assert len(kit.pictures(anna)) == 1
        if job.state == "delivered":
            await kit.assert_paid_once(w, anna)
        else:  # after its deadline it is a present, and said to be one
            assert job.reason == "DEADLINE"
            assert "бесплатный" in kit.pictures(anna)[0].text
            await kit.assert_refunded(w, anna)

    kit.tell(story, seed)
