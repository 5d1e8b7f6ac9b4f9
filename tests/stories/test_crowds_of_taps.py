"""Many users at once: whoever calls for them keeps the calls few, so that each is quick."""

import msgspec
import trio

from tests.stories import kit
from tests.stories.test_left_taps import MESSAGE, passive_world
from trt.actors.callback_clock import CALLS_MAX
from trt.actors.delivery import ANSWERS_MAX, SENDS_MAX
from trt.sandbox.faults import Slow
from trt.storage import inbox
from trt.storage.inbox import InboxRow
from trt.testing.world import World

CROWD = 20
ANSWER = "answerCallbackQuery"


def crowd(w: World) -> list[InboxRow]:
    """Return one tap of each of many users, as another instance has committed them."""
    rows = []
    for number in range(CROWD):
        person = {"id": 100 + number, "is_bot": False, "first_name": "Anna"}
        tap = {"id": f"tap-{number}", "from": person, "chat_instance": "1", "data": "help"}
        update = {"update_id": 70 + number, "callback_query": {**tap, "message": MESSAGE}}
        row = w.bot.app.parts.reception.receive(msgspec.json.encode(update))
        assert isinstance(row, InboxRow)
        rows.append(row)
    return rows


def answered(w: World) -> list[str]:
    return [
        str(call.arguments["callback_query_id"]) for call in w.telegram.calls if call.name == ANSWER
    ]


def everybody() -> list[str]:
    return sorted(f"tap-{number}" for number in range(CROWD))


@kit.SEEDS
def test_the_clock_answers_a_crowd_a_few_at_a_time_and_everybody_once(seed: int) -> None:
    async def story(w: World) -> None:
        await passive_world(w)
        w.telegram.faults.add(ANSWER, Slow(2.0), times=CROWD)
        await w.db.transact(inbox.store, crowd(w))
        await trio.sleep(1.0)
        assert len(answered(w)) == CALLS_MAX
        await w.settled(60.0)
        assert w.bot.leads()
        assert sorted(answered(w)) == everybody()

    kit.tell(story, seed)


@kit.SEEDS
def test_delivery_answers_a_crowd_a_few_at_a_time_too(seed: int) -> None:
    async def story(w: World) -> None:
        w.telegram.faults.add(ANSWER, Slow(2.0), times=CROWD)
        await w.db.transact(inbox.store, crowd(w))
        await trio.sleep(1.0)
        assert len(answered(w)) == ANSWERS_MAX + CALLS_MAX, "the clock helps"
        await w.settled(30.0)
        assert set(answered(w)) == set(everybody())

    kit.tell(story, seed)


@kit.SEEDS
def test_delivery_sends_to_a_crowd_a_few_at_a_time_and_to_everybody(seed: int) -> None:
    people = range(100, 100 + SENDS_MAX + 16)

    async def story(w: World) -> None:
        w.telegram.faults.add("sendMessage", Slow(15.0), times=len(people))
        for number in people:
            w.telegram.user(number).send("/start")
        await trio.sleep(10.0)
        sends = [call for call in w.telegram.calls if call.name == "sendMessage"]
        assert len(sends) == SENDS_MAX
        await w.settled(60.0)
        sends = [call for call in w.telegram.calls if call.name == "sendMessage"]
        assert len(sends) == len(people), "nobody was cut off for standing in line"

    kit.tell(story, seed)
