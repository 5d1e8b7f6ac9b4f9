"""Whoever asks a key of a directory hears of its end when it ends, or of its next actor."""

from typing import Any

import trio

from tests.supervision.askers import BACKOFF, Ends, asking, keyed
from tests.supervision.handlers import Handler, double
from tests.supervision.stage import every_seed, running
from trt.supervision import ActorStopped, Budget, Child, Context, Supervisor, Turn


@every_seed
async def test_a_key_that_is_given_up_tells_all_who_asked_it() -> None:
    async def crash(_: Turn[Any]) -> None:
        await trio.sleep(1)
        raise ValueError

    keys = keyed(lambda: Handler(crash), budget=Budget(1, 60.0))
    async with running(Supervisor("root", [Child("keys", keys)])), asking() as askers:
        await askers.ask_key(keys, "a", 1, 2, 3, 4, 5)
    at = 1.0 + BACKOFF.first_s + 1.0
    assert askers.by_number() == [(n, ActorStopped, at) for n in range(1, 6)]


@every_seed
async def test_a_key_whose_actors_return_without_reading_tells_all_who_asked_it() -> None:
    keys = keyed(lambda: Ends(2.0))
    async with running(Supervisor("root", [Child("keys", keys)])), asking() as askers:
        await askers.ask_key(keys, "a", 1, 2, 3, 4, 5)
        assert keys.keys() == ("a",)
    assert askers.by_number() == [(n, ActorStopped, 4.0) for n in range(1, 6)]


@every_seed
async def test_a_key_that_falls_asleep_on_a_question_wakes_up_and_answers() -> None:
    class Sleepy:
        async def run(self, ctx: Context[Any]) -> None:
            async for turn in ctx.turns():
                await double(turn)
            await trio.sleep(3)

    keys = keyed(Sleepy, idle_after_s=1.0)
    async with running(Supervisor("root", [Child("keys", keys)])), asking() as askers:
        keys.ensure("a")
        await trio.sleep(2)
        await askers.ask_key(keys, "a", 1)
        assert askers.heard == []
    ((_, answer, _),) = askers.heard
    assert answer == 2
