"""What people do in the stories, and how a story is run."""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from attrs import frozen

from trt.domain.ids import Cid
from trt.sandbox.telegram_chat import FakeMessage, Tap
from trt.sandbox.telegram_user import FakeUser
from trt.testing.virtual_time import run_virtual
from trt.testing.world import World, world

_environment = os.environ  # noqa: TID251 - the tests' own settings
_is_night = _environment.get("TRT_NIGHTLY") == "1"
_seeds = int(_environment.get("TRT_STORY_SEEDS", "20" if _is_night else "2"))
SEEDS = pytest.mark.parametrize("seed", range(_seeds))
"""Each seed is another order in which the ready tasks run: two by day, more at night."""
SEEDS_OF_HOURS = pytest.mark.parametrize("seed", range((_seeds + 1) // 2))
"""Half as many: an hour of heartbeats and sweeps takes as long as twenty other stories."""

WELCOME_KOPECKS = 10_000
PICTURE_KOPECKS = 63
CONFIRM = "✅ Запустить"
PROMPT = "лиса в осеннем лесу"


def tell(story: Callable[[World], Awaitable[None]], seed: int = 0, **options: Any) -> World:
    """Run a story in a world of its own; `options` are those of `world`."""

    async def run() -> World:
        async with world(seed=seed, **options) as w:
            await story(w)
        return w

    return run_virtual(run, seed=seed)


async def has_confirmation(user: FakeUser, prompt: str = PROMPT) -> FakeMessage:
    """Walk from /start to the confirmation of a picture that costs 0,63 ₽."""
    above = user.messages[-1] if user.messages else None
    user.send("/start")
    menu = await user.wait_message(lambda one: one.button("cat:image") is not None, after=above)
    await pressed(user, "cat:image")
    await _shows(user, menu, "model:z-image")
    await pressed(user, "model:z-image")
    await _shows(user, menu, "make:z-image")
    await pressed(user, "make:z-image")
    await _shows_word(user, menu, "Описание")
    user.send(prompt)
    form = await user.wait_message(lambda one: _data(one, "set:") is not None, after=menu)
    choice = _data(form, "set:")
    assert choice is not None
    await pressed(user, choice)
    return await user.wait_message(lambda one: one.button(CONFIRM) is not None, after=menu)


async def orders_picture(user: FakeUser) -> Tap:
    """Order a picture; returns the tap on the confirm button, already answered."""
    confirmation = await has_confirmation(user)
    return await pressed(user, CONFIRM, confirmation)


async def pressed(user: FakeUser, button: str, message: FakeMessage | None = None) -> Tap:
    """Press a button and wait until its spinner has stopped."""
    tap = user.tap(button, message)
    await user.wait_answer(tap)
    return tap


async def _shows(user: FakeUser, message: FakeMessage, data: str) -> None:
    await user.wait_message(lambda one: one is message and one.button(data) is not None)


async def _shows_word(user: FakeUser, message: FakeMessage, word: str) -> None:
    await user.wait_message(lambda one: one is message and word in one.text)


def _data(message: FakeMessage, prefix: str) -> str | None:
    return next((b.data for b in message.buttons if b.data and b.data.startswith(prefix)), None)


async def a_day_later(w: World) -> None:
    """Let a day pass during which nobody serves: hours of heartbeats would take minutes."""
    await w.bot.stop()
    await w.settled(24 * 3600)
    await w.start()
    await w.settled(15)


# What there is to see afterwards.


def pictures(user: FakeUser) -> Sequence[FakeMessage]:
    """Return the pictures that the bot has sent."""
    return [message for message in user.messages if message.is_from_bot and message.kind == "photo"]


def count(user: FakeUser, words: str) -> int:
    """Return how many messages of the bot say this now."""
    return sum(message.is_from_bot and words in message.text for message in user.messages)


async def assert_paid_once(w: World, user: FakeUser) -> None:
    """Assert that one picture was charged, and nothing is held back."""
    money = await w.balance(user.user_id)
    assert (money.available_kopecks, money.reserved_kopecks) == (
        WELCOME_KOPECKS - PICTURE_KOPECKS,
        0,
    )


async def assert_refunded(w: World, user: FakeUser) -> None:
    """Assert that everything came back, and that the user has read so once."""
    money = await w.balance(user.user_id)
    assert (money.available_kopecks, money.reserved_kopecks) == (WELCOME_KOPECKS, 0)
    assert count(user, "Вернули на баланс 0,63 ₽") == 1


@frozen
class JobRow:
    """A job as it stands in the database."""

    job_id: str
    state: str
    reason: str | None
    attempt: int
    cid: Cid


async def jobs_of(w: World, user: FakeUser) -> list[JobRow]:
    """Return a user's jobs, oldest first."""
    rows = await w.rows(
        "SELECT job_id, state, reason, attempt, cid FROM jobs WHERE user_id = :user "
        "ORDER BY created_at",
        user=user.user_id,
    )
    return [JobRow(*row) for row in rows]


async def only_job(w: World, user: FakeUser) -> JobRow:
    """Return the user's one job."""
    [job] = await jobs_of(w, user)
    return job


async def inbox_state(w: World, update_id: int) -> tuple[str, str | None]:
    """Return the state and the reason of an update."""
    [row] = await w.rows(
        "SELECT state, reason FROM inbox WHERE update_id = :update_id", update_id=update_id
    )
    return row[0], row[1]
