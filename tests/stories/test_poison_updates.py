"""An update that takes its process along is given up in the end; what waited beside it lives."""

from typing import Any

import pytest

from tests.conftest import LogOfTest
from tests.stories import kit
from trt.actors.handling import ATTEMPTS_MAX
from trt.domain import dialog
from trt.domain.inputs import Person
from trt.domain.session import Session
from trt.domain.turn import Turn
from trt.sandbox.telegram_user import FakeUser
from trt.storage.errors import DatabaseUnavailable
from trt.testing.world import Instance, World

DONE = ("done", "SUCCESS")
DEAD = ("dead", "HANDLER_CRASHED")
PEOPLE = 30
AT_WORK_MAX = 8
"""As many as the world's instances let handle updates at a time."""
LOST_LEASES = ATTEMPTS_MAX + 2
TAKEOVER_S = 4.0


def _kill(instance: Instance) -> None:
    """Let nothing that it does reach the database any more, as if its process had died."""
    instance.trouble.hold(None)
    instance.lease_trouble.hold(None)


async def _all_wait_in_line(w: World, people: list[FakeUser]) -> list[int]:
    """Let everybody write, and nobody come to be handled."""
    await w.settled(1)
    w.bot.trouble.hold("handle")
    ids = [user.send("/start") for user in people]
    await w.settled(0.5)
    return ids


async def _another_takes_over(w: World, *, stalls_at: str | None = None) -> None:
    """Let the leading instance die, and another one lead."""
    dead = w.bot
    await w.start()
    if stalls_at is not None:
        w.bot.trouble.hold(stalls_at)
    _kill(dead)
    await w.settled(TAKEOVER_S)


async def _assert_all_are_greeted(w: World, people: list[FakeUser], ids: list[int]) -> None:
    assert [await kit.inbox_state(w, update_id) for update_id in ids] == [DONE] * len(ids)
    assert all(kit.count(user, "Что создаём?") for user in people)


@kit.SEEDS
def test_updates_that_only_waited_outlive_any_number_of_lost_leases(
    seed: int, log: LogOfTest
) -> None:
    async def story(w: World) -> None:
        people = [w.telegram.user() for _ in range(PEOPLE)]
        ids = await _all_wait_in_line(w, people)
        for _ in range(LOST_LEASES):
            await _another_takes_over(w, stalls_at="begin_again")
            assert w.bot.leads()
        assert await w.rows("SELECT DISTINCT attempts FROM inbox") == [(1,)]
        w.bot.trouble.release("begin_again")
        await w.settled(10)
        await _assert_all_are_greeted(w, people, ids)

    kit.tell(story, seed)
    assert not log.unclaimed()


@kit.SEEDS
def test_a_stall_at_work_over_many_leases_costs_one_update_at_most(
    seed: int, log: LogOfTest
) -> None:
    """It looks like poison; but all that were at work are not taken for as many culprits."""
    log.claim("DISPATCH_FAIL")

    async def story(w: World) -> None:
        people = [w.telegram.user() for _ in range(AT_WORK_MAX)]
        ids = await _all_wait_in_line(w, people)
        for _ in range(LOST_LEASES):
            await _another_takes_over(w, stalls_at="handle")
        w.bot.trouble.release("handle")
        await w.settled(10)
        ended = [await kit.inbox_state(w, update_id) for update_id in ids]
        assert ended.count(DONE) >= AT_WORK_MAX - 1
        assert ended.count(DONE) + ended.count(DEAD) == AT_WORK_MAX

    kit.tell(story, seed)


@pytest.mark.parametrize("people", [AT_WORK_MAX, PEOPLE])
@kit.SEEDS
def test_what_kills_each_instance_is_given_up_and_its_neighbours_live(
    seed: int, people: int, log: LogOfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.claim("DISPATCH_FAIL")
    killed: list[Instance] = []

    async def story(w: World) -> None:
        poisoned, *users = [w.telegram.user() for _ in range(people)]
        poison_id, *ids = await _all_wait_in_line(w, [poisoned, *users])

        def step(session: Session, person: Person, *args: Any) -> Turn:
            if person.user_id == poisoned.user_id:
                killed.append(w.bot)
                _kill(w.bot)
                raise DatabaseUnavailable("the process is gone")
            return unhurt(session, person, *args)

        unhurt = dialog.step
        monkeypatch.setattr(dialog, "step", step)
        for _ in range(ATTEMPTS_MAX):
            await _another_takes_over(w)
        assert len(killed) == ATTEMPTS_MAX - 1  # the first attempt was the one that stalled
        assert len(set(killed)) == len(killed)
        assert await kit.inbox_state(w, poison_id) == DEAD
        assert kit.count(poisoned, "У нас ошибка")
        await _assert_all_are_greeted(w, users, ids)

    kit.tell(story, seed)
