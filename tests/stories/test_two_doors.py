"""Updates come in by both instances in turn: order, wake-ups, and what a lost wake-up costs."""

import pytest
import trio

from tests.conftest import LogOfTest
from tests.stories import kit
from trt.actors.lease_terms import LeaseTerms
from trt.sandbox.kie_script import Succeed
from trt.sandbox.telegram_user import FakeUser
from trt.telemetry.events import EventName
from trt.testing.world import Instance, World

BELL = pytest.mark.parametrize("is_deaf", [False, True], ids=["heard", "deaf"])


async def _two(w: World, *, is_deaf: bool) -> tuple[Instance, Instance]:
    """Return the active instance, and a passive one that gets the posts from now on."""
    active = w.bot
    passive = await w.start()
    await w.settled(1)
    assert active.leads()
    assert not passive.leads()
    w.bus.is_deaf = is_deaf
    return active, passive


def _ended(w: World, user: FakeUser, *names: EventName) -> list[object]:
    """Return the updates of a user that ended so, in that order."""
    return [
        event.fields["update_id"]
        for event in w.events
        if event.name in names and event.fields.get("user_id") == user.user_id
    ]


@kit.SEEDS
def test_what_came_first_by_the_passive_instance_is_handled_first(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        active, _ = await _two(w, is_deaf=True)  # the active one notices only the second
        early = [anna.send("/start"), anna.send("/help")]
        await w.settled(0.005)
        assert [await kit.inbox_state(w, one) for one in early] == [("new", None)] * 2
        w.lead_posts_to(active)
        late = anna.send("/balance")
        await w.settled(0.01)
        assert _ended(w, anna, EventName.DISPATCH_OK) == [*early, late]
        await w.settled(5)
        shown = [message.text for message in anna.messages if message.is_from_bot]
        assert ["Анна" in shown[0], "Как это" in shown[1], "Баланс" in shown[2]] == [True] * 3
        assert len(shown) == 3

    kit.tell(story, seed)


@kit.SEEDS
def test_a_tap_that_its_session_found_by_itself_is_answered_and_logged_like_any(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("/start")
        await anna.wait_message("Что создаём?")
        await w.settled(1)
        active, _ = await _two(w, is_deaf=True)
        tap = anna.tap("cat:image")
        await w.settled(0.005)
        w.lead_posts_to(active)
        anna.send("/help")
        await w.settled(5)
        [seen] = w.told(EventName.CALLBACK_RECEIVED, update_id=tap.update_id)
        [done] = w.told(EventName.CALLBACK_ACCEPTED, update_id=tap.update_id)
        assert seen.at <= done.at
        assert len(w.told(EventName.ANSWER_CALLBACK_QUERY, cid=seen.fields["cid"])) == 1

    kit.tell(story, seed)


@kit.SEEDS
def test_the_update_that_crashes_is_given_up_and_not_the_one_behind_it(
    seed: int, log: LogOfTest
) -> None:
    log.claim("ACTOR_CRASHED", "DISPATCH_FAIL")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        active, _ = await _two(w, is_deaf=True)
        bad = anna.send("/start")
        await w.settled(0.005)
        await w.rows(
            f"CREATE TRIGGER poison BEFORE UPDATE OF state ON inbox WHEN NEW.update_id = {bad} "
            "AND NEW.state = 'done' BEGIN SELECT RAISE(ABORT, 'poison'); END"
        )
        w.lead_posts_to(active)
        good = [anna.send("/balance"), anna.send("/help")]
        await w.settled(30)
        assert await kit.inbox_state(w, bad) == ("dead", "HANDLER_CRASHED")
        assert [await kit.inbox_state(w, one) for one in good] == [("done", "SUCCESS")] * 2
        assert _ended(w, anna, EventName.DISPATCH_FAIL) == [bad]
        assert len(w.told(EventName.ACTOR_CRASHED)) == 3  # and then nothing is tried once more
        assert kit.count(anna, "У нас ошибка") == 1

    kit.tell(story, seed)


@kit.SEEDS
def test_of_an_update_that_another_closed_meanwhile_nothing_is_left_done(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await w.settled(1)
        # As seen by the last statement of the handling: somebody else has ended the row.
        await w.rows(
            "CREATE TRIGGER closed BEFORE UPDATE OF state ON inbox WHEN NEW.state = 'done' "
            "BEGIN SELECT RAISE(IGNORE); END"
        )
        anna.send("/start")
        await w.settled(5)
        for table in ("sessions", "outbox", "transfers"):
            assert await w.rows(f"SELECT count(*) FROM {table}") == [(0,)]
        assert not w.told(EventName.DISPATCH_OK)
        await w.rows("DROP TRIGGER closed")

    kit.tell(story, seed)


@BELL
@kit.SEEDS
def test_an_update_that_reaches_the_passive_instance_costs_at_most_one_short_poll(
    seed: int, *, is_deaf: bool
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await _two(w, is_deaf=is_deaf)
        began_s = trio.current_time()
        anna.send("/help")
        await anna.wait_message("Как это работает")
        assert trio.current_time() - began_s < (0.3 if is_deaf else 0.05)
        assert w.bus.said.count("inbox:0") == 1

    kit.tell(story, seed)


@kit.SEEDS
def test_a_burst_at_the_passive_instance_rings_a_few_times_and_not_for_each(seed: int) -> None:
    async def story(w: World) -> None:
        people = [w.telegram.user() for _ in range(20)]
        await _two(w, is_deaf=False)
        for person in people:
            person.send("/help")
        await w.settled(5)
        assert len(w.told(EventName.DISPATCH_OK)) == 20
        assert 1 <= w.bus.said.count("inbox:0") <= 3

    kit.tell(story, seed)


@BELL
@kit.SEEDS
def test_a_callback_that_reaches_the_passive_instance_wakes_the_job(
    seed: int, *, is_deaf: bool
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await _two(w, is_deaf=is_deaf)
        w.kie.script(Succeed(after_s=4.0))  # the job itself looks at about 3 s, and again at 6 s
        await kit.orders_picture(anna)
        await w.settled(10)
        [called] = w.told(EventName.KIE_CALLBACK)
        [told] = w.told(EventName.TASK_STATE, state="delivering")
        assert (told.at - called.at).total_seconds() < (1.1 if is_deaf else 0.1)
        assert w.bus.said.count("callbacks:0") == 1
        await w.settled(60)
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@BELL
@kit.SEEDS
def test_a_released_lease_is_taken_at_once_or_with_the_next_look(
    seed: int, *, is_deaf: bool
) -> None:
    async def story(w: World) -> None:
        first, second = await _two(w, is_deaf=is_deaf)
        first.app.stop()
        await w.settled(0.02)
        assert second.leads() is not is_deaf
        await w.settled(w.lease_terms.look_every_s)
        assert second.leads()
        [released], taken = w.told(EventName.LOCK_RELEASED), w.told(EventName.LOCK_ACQUIRED)[-1]
        assert released.at <= taken.at

    kit.tell(story, seed, lease_terms=LeaseTerms(look_every_s=0.25))  # too rare to be a chance
