"""What becomes of a message for which there is no room, and that a stop waits behind nothing."""

from typing import Any

import pytest
import trio
import trio.testing

from tests.supervision.handlers import Double, Handler, double, one
from tests.supervision.stage import every_seed, fails_with, running
from trt.supervision import (
    Child,
    DeadLetter,
    Mailbox,
    MailboxFull,
    MessageDropped,
    Overflow,
    SupervisionEvent,
    Supervisor,
    Tree,
    Turn,
)


@every_seed
async def test_a_mailbox_that_refuses_lets_nobody_wait() -> None:
    box = Mailbox[Any]("box", 1, overflow=Overflow.REFUSE)
    await box.ref.tell(0)
    for send in (
        lambda: box.ref.tell(1),
        lambda: box.ref.ask(Double(1), 9.0),
    ):
        refused = await fails_with(MailboxFull, send)
        assert isinstance(refused, MailboxFull)
    with pytest.raises(MailboxFull):
        box.ref.tell_nowait(1)
    assert (box.statistics().refused, box.statistics().sent, trio.current_time()) == (3, 1, 0.0)


@every_seed
async def test_the_oldest_makes_room_is_counted_and_reaches_the_hook_and_its_asker() -> None:
    seen: list[Any] = []

    async def see(turn: Turn[Any]) -> None:
        seen.append(turn.message)
        await trio.sleep(5)

    box = Mailbox[Any]("box", 2, overflow=Overflow.DROP_OLDEST)
    letters: list[DeadLetter] = []
    async with running(one(box, Handler(see), letters, grace_s=60)):
        box.ref.tell_nowait("in hand")
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                error = await fails_with(MessageDropped, lambda: box.ref.ask(Double(1), 60.0))
                assert isinstance(error, MessageDropped)
                assert error.message == Double(1)

            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            for n in range(3):
                await box.ref.tell(n)
        assert (box.statistics().dropped, box.statistics().depth) == (2, 2)
        assert [(x.message, x.reason) for x in letters] == [(Double(1), "dropped"), (0, "dropped")]
        await trio.sleep(20)
        assert seen == ["in hand", 1, 2]


@every_seed
async def test_a_stop_waits_behind_no_message_however_full_the_mailbox() -> None:
    handled: list[Any] = []

    async def slowly(turn: Turn[Any]) -> None:
        await trio.sleep(2)
        handled.append(turn.message)

    box = Mailbox[Any]("box", 64)
    for n in range(64):
        box.ref.tell_nowait(n)
    async with running(one(box, Handler(slowly))):
        await trio.sleep(1)
        asked_at = trio.current_time()
    assert trio.current_time() == asked_at + 1
    assert handled == [0]


@every_seed
async def test_one_hook_hears_of_the_dead_letters_of_the_whole_tree() -> None:
    async def never(_: Turn[Any]) -> None:
        await trio.sleep_forever()

    heard: list[SupervisionEvent] = []
    letters: list[tuple[str, Any]] = []

    def hook(letter: DeadLetter) -> None:
        letters.append((letter.path, letter.message))
        raise ValueError

    boxes = [Mailbox[Any](name, 4) for name in "ab"]
    root = Supervisor(
        "root",
        [Child(box.name, Handler(never), mailbox=box, grace_s=1) for box in boxes],
    )
    tree = Tree(root, heard.append, on_dead_letter=hook)
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        for box in boxes:
            box.ref.tell_nowait(1)
            box.ref.tell_nowait(2)
        await trio.sleep(1)
        tree.request_stop()
    assert letters == [("root/b", 1), ("root/b", 2), ("root/a", 1), ("root/a", 2)]
    assert sum(type(event).__name__ == "Crashed" for event in heard) == 4


@every_seed
async def test_a_cancelled_sender_leaves_nothing_behind() -> None:
    box = Mailbox[Any]("box", 1)
    box.ref.tell_nowait(0)
    with trio.move_on_after(1):
        await box.ref.tell("impatient")
    assert box.statistics().waiting_senders == 0
    async with running(one(box, Handler(double))):
        pass
    assert box.statistics().sent == 1
