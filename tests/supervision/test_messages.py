"""Mailboxes, references, turns: what becomes of every message."""

from typing import Any

import pytest
import trio
import trio.testing

from tests.supervision.handlers import Double, Handler, double, one
from tests.supervision.stage import every_seed, mailbox, running
from trt.supervision import (
    AskTimedOut,
    DeadLetter,
    MailboxFull,
    Turn,
)


@every_seed
async def test_an_ask_is_answered() -> None:
    box = mailbox()
    async with running(one(box, Handler(double))):
        assert await box.ref.ask(Double(21), 1.0) == 42


@every_seed
async def test_an_ask_without_an_answer_times_out_and_the_late_answer_is_counted() -> None:
    async def slowly(turn: Turn[Any]) -> None:
        await trio.sleep(2)
        turn.reply(0)

    box = mailbox()
    async with running(one(box, Handler(slowly))):
        with pytest.raises(AskTimedOut):
            await box.ref.ask(Double(1), 1.0)
        await trio.sleep(2)
        assert box.statistics().late_replies == 1


@every_seed
async def test_a_question_that_expired_in_the_queue_is_never_handled() -> None:
    handled: list[Any] = []

    async def slowly(turn: Turn[Any]) -> None:
        handled.append(turn.message)
        await trio.sleep(5)

    box = mailbox()
    letters: list[DeadLetter] = []
    async with running(one(box, Handler(slowly), letters)):
        box.ref.tell_nowait("first")
        with pytest.raises(AskTimedOut):
            await box.ref.ask(Double(1), 1.0)
        await trio.sleep(10)
    assert handled == ["first"]
    assert [(letter.reason, letter.attempts) for letter in letters] == [("expired", 0)]


@every_seed
async def test_the_deadline_of_an_ask_covers_waiting_for_room() -> None:
    box = mailbox(1)
    box.ref.tell_nowait("in the way")
    asked_at = trio.current_time()
    with pytest.raises(AskTimedOut):
        await box.ref.ask(Double(1), 3.0)
    assert trio.current_time() == asked_at + 3.0
    assert box.statistics().depth == 1
    assert box.statistics().waiting_senders == 0


@every_seed
async def test_a_full_mailbox_refuses_now_or_lets_wait_in_order() -> None:
    box = mailbox(1)
    box.ref.tell_nowait(0)
    with pytest.raises(MailboxFull) as refused:
        box.ref.tell_nowait("no room")
    assert refused.value.message == "no room"
    seen: list[Any] = []

    async def see(turn: Turn[Any]) -> None:
        seen.append(turn.message)

    async with trio.open_nursery() as nursery:
        for n in (1, 2, 3):
            nursery.start_soon(box.ref.tell, n)
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(7)
        statistics = box.statistics()
        assert (statistics.depth, statistics.waiting_senders, statistics.refused) == (1, 3, 1)
        assert statistics.oldest_age_s == 7.0
        async with running(one(box, Handler(see))):
            await trio.sleep(1)
    assert seen == [0, 1, 2, 3]
    statistics = box.statistics()
    assert (statistics.sent, statistics.received, statistics.oldest_age_s) == (4, 4, 0.0)


@every_seed
async def test_the_mailbox_and_its_refs_survive_a_restart() -> None:
    seen: list[Any] = []

    async def crash_once(turn: Turn[Any]) -> None:
        if turn.message == 1 and turn.attempt == 1:
            raise ValueError
        seen.append((turn.message, turn.attempt))

    box = mailbox()
    async with running(one(box, Handler(crash_once))):
        for n in range(4):
            box.ref.tell_nowait(n)
        await trio.sleep(1)
        await box.ref.tell(4)
        await trio.sleep(1)
    assert seen == [(0, 1), (1, 2), (2, 1), (3, 1), (4, 1)]
