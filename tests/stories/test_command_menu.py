"""Telegram's clients offer the commands, in the language of who types."""

import pytest

from tests.stories import kit
from trt.domain.menu_screens import COMMAND_KEYS
from trt.sandbox.faults import CutAfter, Fault, ServerError, TooMany
from trt.telemetry.events import EventName
from trt.testing.world import BOT_TOKEN, World


async def offered(w: World, language_code: str = "") -> dict[str, str]:
    url = f"https://telegram.test/bot{BOT_TOKEN}/getMyCommands"
    answer = await w.http.post(url, json={"language_code": language_code})
    return {one["command"]: one["description"] for one in answer.json()["result"]}


def calls(w: World) -> int:
    return sum(call.name == "setMyCommands" for call in w.telegram.calls)


@kit.SEEDS
def test_russian_is_for_everybody_and_english_for_who_speaks_it(seed: int) -> None:
    async def story(w: World) -> None:
        await w.settled(2)
        russian, english = await offered(w), await offered(w, "en")
        assert set(russian) == set(english) == set(COMMAND_KEYS)
        assert russian["balance"] == "Баланс и движения денег"
        assert english["balance"] == "Balance and movements of money"

    kit.tell(story, seed)


@kit.SEEDS
def test_every_command_that_is_offered_is_one_that_the_bot_knows(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        for name in await offered(w):
            above = anna.messages[-1] if anna.messages else None
            anna.send(f"/{name}")
            said = await anna.wait_message(lambda one: one.is_from_bot, after=above)
            assert "Такой команды нет" not in said.text

    kit.tell(story, seed)


@kit.SEEDS
@pytest.mark.parametrize("fault", [ServerError(), TooMany(3), CutAfter()], ids=repr)
def test_a_telegram_that_does_not_take_them_is_asked_again(seed: int, fault: Fault) -> None:
    async def story(w: World) -> None:
        await w.bot.stop()
        w.telegram.faults.add("setMyCommands", fault, times=2)
        before = calls(w)
        await w.start()
        await w.settled(150)
        assert len(w.told(EventName.MESSAGE_DELAYED, method="setMyCommands")) == 2
        assert calls(w) - before == 4
        assert not w.told(EventName.ACTOR_CRASHED)

    kit.tell(story, seed)


@kit.SEEDS
def test_only_who_leads_sets_them(seed: int) -> None:
    async def story(w: World) -> None:
        await w.settled(2)
        first, second = w.bot, await w.start()
        await w.settled(5)
        assert first.leads()
        assert calls(w) == 2
        await first.stop()
        await w.settled(5)
        assert second.leads()
        assert calls(w) == 4

    kit.tell(story, seed)
