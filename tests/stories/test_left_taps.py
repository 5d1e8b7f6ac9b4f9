"""Taps that the active instance took and then left: it hangs, or is cut off from the database."""

import msgspec
import pytest
import trio

from tests.stories import kit
from trt.domain.ids import CallbackId, ChatId, Cid, Shard
from trt.domain.replies import AnswerCallback
from trt.sandbox.faults import Call, ServerError, TooMany
from trt.storage import inbox, lease, outbox
from trt.storage.database import Transaction
from trt.storage.inbox import InboxRow
from trt.testing.world import World

LEFT = CallbackId("left-behind")
PERSON = {"id": 5, "is_bot": False, "first_name": "Anna", "language_code": "ru"}
MESSAGE = {"message_id": 1, "date": 2_000_000_000, "chat": {"id": 5, "type": "private"}}
TAP = {"id": LEFT, "from": PERSON, "message": MESSAGE, "chat_instance": "1", "data": "help"}


def left_tap(w: World) -> InboxRow:
    """Return a tap as the other instance has committed it."""
    body = msgspec.json.encode({"update_id": 7, "callback_query": TAP})
    row = w.bot.app.parts.reception.receive(body)
    assert isinstance(row, InboxRow)
    return row


def answers(w: World) -> list[Call]:
    return [
        call
        for call in w.telegram.calls
        if call.name == "answerCallbackQuery" and call.arguments["callback_query_id"] == LEFT
    ]


async def passive_world(w: World) -> None:
    """Let somebody lead who will never do anything, and wait for the passive instance."""
    await w.bot.stop()
    await w.db.transact(
        lease.acquire, w.lease_terms.name, holder="somebody else", pid=1, ttl_s=30.0
    )
    await w.start()
    await w.settled(1.0)


@kit.SEEDS
def test_a_tap_that_nobody_handles_is_answered_within_its_second_and_once(seed: int) -> None:
    async def story(w: World) -> None:
        await passive_world(w)
        await w.db.transact(inbox.store, [left_tap(w)])
        await trio.sleep(0.3)
        assert not answers(w), "the active instance has its time"
        await trio.sleep(0.3)
        [answer] = answers(w)
        assert "Обновляемся" in str(answer.arguments["text"])
        await w.settled(5.0)
        assert len(answers(w)) == 1
        assert await kit.inbox_state(w, 7) == ("new", None), "it waits for who takes over"

    kit.tell(story, seed)


@kit.SEEDS
def test_what_was_answered_while_passive_is_handled_after_the_takeover_without_a_second_answer(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        await passive_world(w)
        await w.db.transact(inbox.store, [left_tap(w)])
        await w.settled(60.0)
        assert w.bot.leads()
        assert await kit.inbox_state(w, 7) == ("done", "SUCCESS")
        assert len(answers(w)) == 1

    kit.tell(story, seed)


@pytest.mark.parametrize("fault", [TooMany(1), ServerError()], ids=repr)
@kit.SEEDS
def test_a_try_that_telegram_refused_leaves_the_answer_to_the_handler(
    seed: int, fault: TooMany | ServerError
) -> None:
    async def story(w: World) -> None:
        await passive_world(w)
        w.telegram.faults.add("answerCallbackQuery", fault)
        await w.db.transact(inbox.store, [left_tap(w)])
        await w.settled(5.0)
        assert len(answers(w)) == 1, "the one try of the clock"
        await w.settled(60.0)
        assert w.bot.leads()
        assert len(answers(w)) == 2

    kit.tell(story, seed)


@kit.SEEDS
def test_an_answer_that_nobody_sends_is_sent_in_its_own_words(seed: int) -> None:
    def handled(tx: Transaction, w: World) -> None:
        outbox.put(
            tx,
            shard=Shard(0),
            chat_id=ChatId(5),
            reply=AnswerCallback(callback_id=LEFT, text="Запущено"),
            cid=Cid("c"),
            job_id=None,
            epoch=1,
            now=w.sources.now(),
        )

    async def story(w: World) -> None:
        await passive_world(w)
        await w.db.transact(handled, w)
        await trio.sleep(0.8)
        assert [answer.arguments["text"] for answer in answers(w)] == ["Запущено"]

    kit.tell(story, seed)


@kit.SEEDS
def test_a_tap_that_the_active_instance_handles_in_time_is_left_to_it(seed: int) -> None:
    async def story(w: World) -> None:
        await w.start()  # passive, and its host answers
        anna = w.telegram.user()
        anna.send("/start")
        await anna.wait_message("Что создаём?")
        tap = anna.tap("cat:image")
        answer = await anna.wait_answer(tap)
        await w.settled(5.0)
        assert "Обновляемся" not in answer.text
        told = [call for call in w.telegram.calls if call.name == "answerCallbackQuery"]
        assert len(told) == 1

    kit.tell(story, seed)
