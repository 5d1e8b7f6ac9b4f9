"""The lease is lost or handed over: what may still act, for how long, and what it costs."""

import pytest
import trio

from tests.conftest import LogOfTest
from tests.stories import kit
from trt.sandbox.faults import Slow
from trt.storage.errors import DatabaseUnavailable
from trt.telemetry.events import EventName
from trt.testing.world import Instance, World


def _branch(instance: Instance) -> str | None:
    """Return the branch that the lock keeper runs."""
    [keeper] = [one for one in instance.app.tree.snapshot().children if one.name == "lock_keeper"]
    return keeper.children[0].name if keeper.children else None


async def _cut_off_from_its_lease(w: World, instance: Instance) -> float:
    """Let no renewal get through from now on; return when the trust runs out."""
    await w.settled(0.6)
    instance.lease_trouble.hold(None)
    held_row = instance.app.vitals().locks[0].view.row_at_s
    return held_row + w.lease_terms.trust_s


async def _hung_in_telegram(w: World) -> None:
    w.telegram.faults.add("sendMessage", Slow(60.0))
    w.telegram.user().send("/start")
    await w.settled(0.5)


async def _hung_in_kie(w: World) -> None:
    confirmation = await kit.has_confirmation(anna := w.telegram.user())
    w.kie.faults.add(None, Slow(60.0), times=9)
    await kit.pressed(anna, kit.CONFIRM, confirmation)
    await w.settled(0.5)


async def _hung_in_the_database(w: World) -> None:
    w.bot.trouble.hold("handle")
    w.telegram.user().send("/start")
    await w.settled(0.5)


HUNG = [_hung_in_telegram, _hung_in_kie, _hung_in_the_database]


@pytest.mark.parametrize("hung", HUNG, ids=lambda hung: hung.__name__.rpartition("_")[2])
@kit.SEEDS
def test_a_branch_that_lost_its_lease_is_gone_within_its_budget_whatever_hangs(
    seed: int, hung: object, log: LogOfTest
) -> None:
    async def story(w: World) -> None:
        bot = w.bot
        assert callable(hung)
        await hung(w)
        trust_ends_s = await _cut_off_from_its_lease(w, bot)
        await trio.sleep_until(trust_ends_s - 0.01)
        assert bot.leads()
        assert _branch(bot) == "active"
        await trio.sleep_until(trust_ends_s + w.lease_terms.stop_lost_s + 0.01)
        assert not bot.leads()
        assert _branch(bot) == "passive"
        assert trust_ends_s + w.lease_terms.stop_lost_s <= (
            bot.app.vitals().locks[0].view.row_at_s + w.lease_terms.ttl_s
        )
        bot.trouble.clear()
        bot.lease_trouble.release(None)
        if hung is _hung_in_the_database:
            bot.trouble.release("handle")
        await w.settled(600)

    kit.tell(story, seed)
    assert not log.unclaimed()  # an ordered shutdown, no crash


@kit.SEEDS
def test_what_waits_for_a_stalled_database_does_not_outlive_the_lease(
    seed: int, log: LogOfTest
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await w.settled(1)
        w.bot.trouble.fail("handle", DatabaseUnavailable("stalled"), times=1000)
        sent = anna.send("/help")
        trust_ends_s = await _cut_off_from_its_lease(w, w.bot)
        await trio.sleep_until(trust_ends_s + w.lease_terms.stop_lost_s + 0.01)
        assert _branch(w.bot) == "passive"
        w.bot.trouble.clear()
        w.bot.lease_trouble.release(None)
        await w.settled(10)
        assert await kit.inbox_state(w, sent) == ("done", "SUCCESS")

    kit.tell(story, seed)
    assert not log.unclaimed()


@kit.SEEDS
def test_a_deposed_holder_steps_back_and_the_other_leads(seed: int, log: LogOfTest) -> None:
    async def story(w: World) -> None:
        first, second = w.bot, await w.start()
        anna = w.telegram.user()
        confirmation = await kit.has_confirmation(anna)
        await w.settled(1)
        began_s = trio.current_time()
        await w.depose()
        tap = anna.tap(kit.CONFIRM, confirmation)
        await anna.wait_answer(tap)
        assert second.leads()
        assert trio.current_time() - began_s < 1.0
        await w.settled(1)
        assert not first.leads()
        [lost] = w.told(EventName.LOCK_LOST)
        assert lost.fields["reason"] in {"somebody else took it", "its epoch was refused"}
        assert w.told(EventName.LOCK_ACQUIRED)[-1].fields["why"] == "deposed"
        await w.settled(120)
        assert (first.leads(), second.leads()) == (False, True)
        await kit.assert_paid_once(w, anna)
        takeover = second.app.vitals().locks[0].view.row
        assert takeover is not None
        assert takeover.takeover is not None
        assert takeover.takeover.reason == "deposed"

    kit.tell(story, seed)
    assert not log.unclaimed()


@kit.SEEDS
def test_a_deposed_holder_that_nobody_replaces_leads_again_after_one_ttl(seed: int) -> None:
    async def story(w: World) -> None:
        await w.settled(1)
        await w.depose()
        await w.settled(0.6)
        assert not w.bot.leads()
        await w.settled(1.3)
        assert not w.bot.leads()
        await w.settled(1.0)
        assert w.bot.leads()

    kit.tell(story, seed)


@kit.SEEDS
def test_a_planned_stop_hands_back_what_is_in_hand_without_a_mark(
    seed: int, log: LogOfTest
) -> None:
    async def story(w: World) -> None:
        anna, first = w.telegram.user(), w.bot
        await w.settled(1)
        first.trouble.hold("handle")
        sent = anna.send("/help")
        await w.settled(0.5)
        await first.stop()
        assert await kit.inbox_state(w, sent) == ("new", None)
        await w.start()
        await w.settled(5)
        assert await kit.inbox_state(w, sent) == ("done", "SUCCESS")
        assert await w.rows("SELECT sum(attempts) FROM inbox") == [(0,)]
        assert kit.count(anna, "Как это работает") == 1

    kit.tell(story, seed)
    assert not log.unclaimed()


@kit.SEEDS
def test_a_holder_that_went_without_a_word_marks_what_it_left(seed: int) -> None:
    async def story(w: World) -> None:
        first, second = w.bot, await w.start()
        await w.settled(1)
        first.trouble.hold("handle")
        sent = w.telegram.user().send("/help")
        await w.settled(0.5)
        first.lease_trouble.hold(None)
        await w.settled(5)
        assert second.leads()
        rows = await w.rows("SELECT update_id, state, attempts FROM inbox")
        assert rows == [(sent, "done", 2)]
        first.trouble.release("handle")
        first.lease_trouble.release(None)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_hiccup_of_the_database_does_not_make_the_next_holder_wait(seed: int) -> None:
    async def story(w: World) -> None:
        first, second = w.bot, await w.start()
        await w.settled(1)
        first.lease_trouble.fail("release", DatabaseUnavailable("gone"), times=2)
        await first.stop()
        assert w.told(EventName.LOCK_RELEASED)
        assert not w.told(EventName.LOCK_LOST)
        await w.settled(0.3)
        assert second.leads()

    kit.tell(story, seed)


@kit.SEEDS
def test_a_lease_that_cannot_be_released_is_left_to_run_out(seed: int, log: LogOfTest) -> None:
    async def story(w: World) -> None:
        first = w.bot
        await w.settled(1)
        first.lease_trouble.fail("release", DatabaseUnavailable("gone"), times=99)
        await first.stop()
        [lost] = w.told(EventName.LOCK_LOST)
        assert lost.fields["reason"] == "not released: it runs out by itself"
        second = await w.start()
        await w.settled(3)
        assert second.leads()

    kit.tell(story, seed)
    assert not log.unclaimed()
