"""Our own code fails in the middle of things: the user gets an answer, and nobody else notices."""

import pytest

from tests.conftest import LogOfTest
from tests.stories import kit
from trt.storage.errors import DatabaseUnavailable
from trt.telemetry.events import EventName
from trt.testing.trouble import When
from trt.testing.world import World


class Bug(Exception):  # noqa: N818 - a bug is a bug
    """A mistake of ours, put in by a story."""


MOMENTS = pytest.mark.parametrize("when", list(When))


@MOMENTS
@kit.SEEDS
def test_a_session_that_crashes_once_still_answers(seed: int, when: When, log: LogOfTest) -> None:
    log.claim("ACTOR_CRASHED")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.has_confirmation(anna)
        w.bot.trouble.fail("handle", Bug(), when=when)
        await kit.pressed(anna, kit.CONFIRM)
        await w.settled(120)
        [crashed] = w.told(EventName.ACTOR_CRASHED)
        [report] = w.told(EventName.CRASH_REPORT)
        assert crashed.fields["cid"] == report.fields["cid"]
        assert w.told(EventName.UPDATE_RECEIVED, cid=crashed.fields["cid"], kind="callback_query")
        assert len(w.kie.tasks) == 1
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_tap_that_always_crashes_is_apologised_for_within_its_second(
    seed: int, log: LogOfTest
) -> None:
    log.claim("ACTOR_CRASHED", "DISPATCH_FAIL")

    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        confirmation = await kit.has_confirmation(anna)
        w.bot.trouble.fail("handle", Bug(), times=3)
        tap = anna.tap(kit.CONFIRM)
        answer = await anna.wait_answer(tap)
        assert answer.after_s <= 1.0
        assert answer.is_alert
        assert "Ошибка у нас. Ничего не списано" in answer.text
        assert await kit.inbox_state(w, tap.update_id) == ("dead", "HANDLER_CRASHED")
        assert await kit.jobs_of(w, anna) == []
        assert w.told(EventName.DISPATCH_FAIL, update_id=tap.update_id)
        await kit.orders_picture(boris)
        await boris.wait_message(lambda message: message.kind == "photo", 60)
        await kit.pressed(anna, kit.CONFIRM, confirmation)  # her next update works
        await w.settled(120)
        await kit.assert_paid_once(w, anna)
        await kit.assert_paid_once(w, boris)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_text_that_always_crashes_is_apologised_for(seed: int, log: LogOfTest) -> None:
    log.claim("ACTOR_CRASHED", "DISPATCH_FAIL")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.bot.trouble.fail("handle", Bug(), times=3)
        update_id = anna.send("/start")
        apology = await anna.wait_message("У нас ошибка")
        assert await kit.inbox_state(w, update_id) == ("dead", "HANDLER_CRASHED")
        anna.send("/start")
        await anna.wait_message("Анна", after=apology)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_session_that_was_given_up_comes_back(seed: int, log: LogOfTest) -> None:
    """Poisoned updates in a row spend the restart budget of one person's session."""
    log.claim("ACTOR_CRASHED", "ACTOR_GAVE_UP", "DISPATCH_FAIL")

    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        boris.send("/start")
        await boris.wait_message("Борис")
        w.bot.trouble.fail("handle", Bug(), times=9)
        ids = [anna.send(text) for text in ("/start", "/help", "/menu", "/balance")]
        await w.settled(60)
        states = [await kit.inbox_state(w, update_id) for update_id in ids]
        assert states == [("dead", "HANDLER_CRASHED")] * 2 + [("done", "SUCCESS")] * 2
        assert len(w.told(EventName.ACTOR_GAVE_UP)) == 1
        assert not w.told(EventName.ACTOR_CRASHED, actor="trt/lock_keeper/active/sessions")

    kit.tell(story, seed)


@MOMENTS
@pytest.mark.parametrize("work", ["submitting", "running", "deliver"])
def test_a_job_that_crashes_at_a_step_goes_on_from_there(
    work: str, when: When, log: LogOfTest
) -> None:
    log.claim("ACTOR_CRASHED")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.has_confirmation(anna)
        w.bot.trouble.fail(work, Bug(), when=when)
        await kit.pressed(anna, kit.CONFIRM)
        await w.settled(w.config.submit_grace_s + 60)
        assert len(w.told(EventName.ACTOR_CRASHED)) == 1
        assert len(w.kie.tasks) <= 1
        if w.kie.tasks:
            await kit.assert_paid_once(w, anna)
            assert len(kit.pictures(anna)) == 1
        else:
            # Announced and not called: for all we know, KIE may have had it.
            assert (work, when) == ("submitting", When.COMMITTED)
            await kit.assert_refunded(w, anna)

    kit.tell(story)


@kit.SEEDS
def test_a_job_whose_code_always_crashes_is_ended_and_refunded(seed: int, log: LogOfTest) -> None:
    log.claim("ACTOR_CRASHED", "ACTOR_GAVE_UP", "OPERATOR_ALARM")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.has_confirmation(anna)
        w.bot.trouble.fail("deliver", Bug(), times=1000)
        await kit.pressed(anna, kit.CONFIRM)
        await w.settled(300)
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "JOB_CRASHED")
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@MOMENTS
@kit.SEEDS
def test_a_delivery_that_crashes_after_the_send_charges_once(
    seed: int, when: When, log: LogOfTest
) -> None:
    log.claim("ACTOR_CRASHED")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(1)
        w.bot.trouble.fail("_mark_sent", Bug(), when=when)
        await w.settled(120)
        assert 1 <= len(kit.pictures(anna)) <= 2  # sent, not marked, sent again
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@pytest.mark.parametrize("work", ["mark_suspects", "unfinished", "claim", "waiting"])
def test_an_actor_of_the_branch_that_crashes_loses_no_update(work: str, log: LogOfTest) -> None:
    log.claim("ACTOR_CRASHED")

    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        for turn in range(4):
            w.bot.trouble.fail(work, Bug())
            await kit.orders_picture(anna if turn % 2 else boris)
            await w.settled(40)
        w.bot.trouble.clear()
        assert w.told(EventName.ACTOR_CRASHED) or work == "mark_suspects"
        for user in (anna, boris):
            assert len(kit.pictures(user)) == 2
        [[waiting]] = await w.rows("SELECT count(*) FROM inbox WHERE state = 'new'")
        assert waiting == 0

    kit.tell(story)


@kit.SEEDS
def test_a_slow_handler_does_not_let_the_spinner_turn(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.has_confirmation(anna)
        w.bot.trouble.hold("handle")
        tap = anna.tap(kit.CONFIRM)
        answer = await anna.wait_answer(tap)
        assert answer.after_s <= 1.0
        assert answer.text == ""
        await w.settled(5)
        w.bot.trouble.release("handle")
        await w.settled(120)
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_database_that_stalls_delays_and_loses_nothing(seed: int, log: LogOfTest) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.has_confirmation(anna)
        w.bot.trouble.fail(None, DatabaseUnavailable("locked"), when=When.BEFORE, times=25)
        tap = anna.tap(kit.CONFIRM)
        await w.settled(200)
        assert w.telegram.update(tap.update_id).attempts[-1] == 200
        assert len(w.kie.tasks) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)
    assert not log.unclaimed()
