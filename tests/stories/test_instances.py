"""One instance is active: planned stops, takeovers, zombies, and what people see meanwhile."""

import pytest
import trio

from tests.conftest import LogOfTest
from tests.stories import kit
from trt.sandbox.kie_script import Succeed
from trt.storage import lease, outbox
from trt.storage.errors import DatabaseUnavailable, Fenced
from trt.telemetry.events import EventName
from trt.testing.world import World

UNSENT = "SELECT outbox_id FROM outbox WHERE state = 'pending'"


@kit.SEEDS
def test_a_planned_restart_goes_on_in_the_same_message_and_charges_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=40.0))
        status = await kit.has_confirmation(anna)
        await kit.pressed(anna, kit.CONFIRM)
        await w.settled(5)
        await w.bot.stop()
        assert (await kit.only_job(w, anna)).state == "running"
        await w.settled(5)
        await w.start()
        await w.settled(120)
        assert len(w.kie.tasks) == 1
        assert len(kit.pictures(anna)) == 1
        assert "Списано 0,63 ₽" in status.text
        assert kit.count(anna, "Списано 0,63 ₽") == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_job_that_ended_while_nobody_was_there_is_delivered_after_the_start(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=10.0))
        await kit.orders_picture(anna)
        await w.settled(2)
        await w.bot.stop()
        await w.settled(3600)  # also past the deadline: what is there is delivered
        anna.send("/balance")
        await w.settled(5)
        await w.start()
        await w.settled(120)
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)
        assert kit.count(anna, "Баланс:") == 1

    kit.tell(story, seed)


@kit.SEEDS
def test_the_second_instance_is_warm_and_takes_over_within_300_ms_of_a_planned_stop(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        first = w.bot
        second = await w.start()
        await w.settled(5)
        assert first.leads()
        assert not second.leads()
        first.app.stop()
        await first.ended.wait()
        released_at = trio.current_time()
        while not second.leads():  # noqa: ASYNC110 - to the millisecond
            await trio.sleep(0.001)
        assert trio.current_time() - released_at <= 0.3
        taken = w.told(EventName.LOCK_ACQUIRED)[-1]
        assert taken.fields["why"] == "released"
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(120)
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_rolling_deploy_in_the_middle_of_an_order_is_a_non_event(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        confirmation = await kit.has_confirmation(anna)
        first = w.bot
        await w.start()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.stop)
            tap = anna.tap(kit.CONFIRM, confirmation)
            await anna.wait_answer(tap)
        await w.settled(120)
        assert not w.told(EventName.PASSIVE_REJECT)
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_an_update_that_reaches_the_passive_instance_is_handled_by_the_active_one(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await w.start()  # its host answers now, and it is passive
        await w.settled(1)
        for _ in range(3):
            await kit.orders_picture(anna)
            await w.settled(60)
        assert not w.told(EventName.PASSIVE_REJECT)
        assert len(kit.pictures(anna)) == 3

    kit.tell(story, seed)


@kit.SEEDS
def test_who_waits_longer_than_the_grace_is_told_and_handled_after_the_takeover(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("/start")
        menu = await anna.wait_message("Что создаём?")
        await w.bot.stop()
        await _somebody_else_leads(w, for_s=20.0)
        await w.start()
        tap = anna.tap("cat:image", menu)
        answer = await anna.wait_answer(tap)
        assert 0.3 < answer.after_s <= 0.6
        assert "Обновляемся" in answer.text
        anna.send("/help")
        notice = await anna.wait_message("Обновляемся")
        assert notice.button("🔄 Обновить") is not None
        anna.send("/balance")
        await w.settled(5)
        assert kit.count(anna, "Обновляемся") == 1  # once a minute is enough
        assert await kit.inbox_state(w, tap.update_id) == ("new", None)
        await w.settled(30)
        assert w.bot.leads()
        assert await kit.inbox_state(w, tap.update_id) == ("done", "SUCCESS")
        assert kit.count(anna, "Как это работает") == 1
        assert menu.button("model:z-image") is not None
        told = w.told(EventName.PASSIVE_REJECT, reason_code="PASSIVE_REJECT")
        assert len(told) == 2

    kit.tell(story, seed)


@kit.SEEDS
def test_in_reject_mode_the_passive_instance_closes_what_nobody_claimed(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("/start")
        menu = await anna.wait_message("Что создаём?")
        await w.bot.stop()
        await _somebody_else_leads(w, for_s=10.0)
        await w.start()
        tap = anna.tap("cat:image", menu)
        assert "нажмите, пожалуйста, ещё раз" in (await anna.wait_answer(tap)).text
        sent = [anna.send("/help")]
        notice = await anna.wait_message("Обновляемся")
        assert "отправьте, пожалуйста, ещё раз" in notice.text
        sent.append(anna.send("/balance"))  # the notice has said it of this one too
        await w.settled(2)
        assert kit.count(anna, "Обновляемся") == 1
        closed = [tap.update_id, *sent]
        for update_id in closed:
            assert await kit.inbox_state(w, update_id) == ("refused", "PASSIVE_REJECT")
        told = w.told(EventName.PASSIVE_REJECT, reason_code="PASSIVE_REJECT")
        assert [event.fields["update_id"] for event in told] == closed
        await w.settled(30)
        assert w.bot.leads()
        assert menu.button("model:z-image") is None
        await kit.pressed(anna, "cat:image", menu)

    kit.tell(story, seed, environment={"PASSIVE_MODE": "reject"})


@kit.SEEDS
def test_a_passive_instance_whose_database_stalls_still_answers_the_tap(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("/start")
        menu = await anna.wait_message("Что создаём?")
        await w.bot.stop()
        await _somebody_else_leads(w, for_s=10.0)
        await w.start()
        w.bot.trouble.fail("is_unfinished", DatabaseUnavailable("locked"))
        tap = anna.tap("cat:image", menu)
        assert "Обновляемся" in (await anna.wait_answer(tap)).text
        await w.settled(30)
        assert await kit.inbox_state(w, tap.update_id) == ("done", "SUCCESS")

    kit.tell(story, seed)


@kit.SEEDS
def test_a_passive_instance_whose_database_hangs_still_answers_every_tap(seed: int) -> None:
    async def story(w: World) -> None:
        people = [w.telegram.user() for _ in range(3)]
        for person in people:
            person.send("/start")
            await person.wait_message("Что создаём?")
        await w.bot.stop()
        await _somebody_else_leads(w, for_s=10.0)
        await w.start()
        for work in ("_notify", "_close_or_leave"):
            w.bot.trouble.hold(work)
        for person in people:
            tap = person.tap("cat:image")
            assert "Обновляемся" in (await person.wait_answer(tap)).text
            await w.settled(0.3)
        for work in ("_notify", "_close_or_leave"):
            w.bot.trouble.release(work)
        await w.settled(30)

    kit.tell(story, seed)


async def _somebody_else_leads(w: World, *, for_s: float) -> None:
    await w.db.transact(
        lease.acquire,
        w.lease_terms.name,
        holder="somebody else",
        pid=1,
        ttl_s=for_s,
    )


@kit.SEEDS
def test_an_instance_that_hangs_is_replaced_within_3_s(seed: int, log: LogOfTest) -> None:
    async def story(w: World) -> None:
        first = w.bot
        second = await w.start()
        await w.settled(5)
        frozen_at = trio.current_time()
        first.lease_trouble.hold(None)
        while not second.leads():  # noqa: ASYNC110 - to the hundredth
            assert trio.current_time() - frozen_at < 3.0
            await trio.sleep(0.01)
        assert not first.leads()  # it stopped trusting itself before
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        first.lease_trouble.release(None)
        await w.settled(120)
        assert second.leads()
        assert not first.leads()
        await kit.assert_paid_once(w, anna)
        lost = w.told(EventName.LOCK_LOST)
        assert [event.fields["reason"] for event in lost] == ["not renewed in time"]

    kit.tell(story, seed)
    assert not log.unclaimed()


@kit.SEEDS
def test_what_was_left_unsent_is_sent_in_order_after_a_takeover(seed: int) -> None:
    async def story(w: World) -> None:
        anna, first = w.telegram.user(), w.bot
        await kit.has_confirmation(anna)
        second = await w.start()
        w.lead_posts_to(first)
        first.trouble.hold("claim")  # what it wants to say stays where it is
        for command in ("/help", "/balance", "/start"):
            anna.send(command)
            await w.settled(0.2)
        assert len(await w.rows(UNSENT)) == 3
        said_before = len(anna.messages)
        first.lease_trouble.hold(None)
        await w.settled(5)
        assert second.leads()
        said = [one.text for one in anna.messages[said_before:] if one.is_from_bot]
        assert len(said) == 3
        for words, text in zip(("Как это работает", "Баланс:", "Что создаём?"), said, strict=True):
            assert words in text
        first.lease_trouble.release(None)
        first.trouble.release("claim")

    kit.tell(story, seed)


@kit.SEEDS
def test_a_zombie_can_commit_nothing(seed: int, log: LogOfTest) -> None:
    log.claim("ACTOR_CRASHED")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.has_confirmation(anna)
        w.bot.trouble.hold("handle")
        w.bot.lease_trouble.hold(None)
        tap = anna.tap(kit.CONFIRM)
        await w.settled(0.2)
        # While it slept, somebody else took the lease, and has not noticed the update yet.
        await w.rows(
            "UPDATE lease SET holder = 'other', epoch = epoch + 1, expires_at = expires_at + 5 "
            "RETURNING 1"
        )
        w.bot.trouble.release("handle")
        await w.settled(0.2)
        assert await kit.inbox_state(w, tap.update_id) == ("new", None)
        assert await kit.jobs_of(w, anna) == []
        assert (await w.balance(anna.user_id)).reserved_kopecks == 0
        assert not w.bot.leads()
        w.bot.lease_trouble.release(None)
        await w.settled(120)
        assert w.bot.leads()  # the other one is gone: the update is handled now, once
        await kit.assert_paid_once(w, anna)

    # The other one is a row in a table: nobody is there to answer the tap.
    kit.tell(story, seed, checks_taps=False)


@pytest.mark.parametrize("epoch", [0, 99])
def test_another_epoch_is_refused_in_every_transaction(epoch: int) -> None:
    async def story(w: World) -> None:
        stale = w.db.fenced(w.lease_terms.name, epoch)
        with pytest.raises(Fenced):
            await stale.transact(outbox.depth, now=w.sources.now())

    kit.tell(story)


@kit.SEEDS
def test_a_stop_waits_for_the_posts_inside_and_refuses_the_next(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("/start")
        await anna.wait_message("Что создаём?")
        await w.settled()
        bot = w.bot
        bot.trouble.hold("store")
        inside = anna.send("/help")
        await w.settled(0.1)
        bot.app.stop()
        await w.settled(0.1)
        outside = w.telegram.user(first_name="Борис").send("/start")
        await w.settled(0.1)
        assert w.telegram.update(outside).attempts == [503]
        bot.trouble.release("store")
        await bot.ended.wait()
        assert w.telegram.update(inside).attempts == [200]
        await w.start()
        await w.settled(60)
        assert w.telegram.update(outside).attempts[-1] == 200
        assert kit.count(anna, "Как это работает") == 1

    kit.tell(story, seed)
