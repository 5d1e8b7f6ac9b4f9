"""Actors by key: on demand, one at a time, asleep when idle."""

from typing import Any

import pytest
import trio

from tests.supervision.hall import Hall
from tests.supervision.handlers import Double, Handler
from tests.supervision.stage import every_seed, fails_with, running
from trt.supervision import (
    ActorStopped,
    Backoff,
    Budget,
    Child,
    Context,
    DeadLetter,
    Directory,
    DirectoryFull,
    Kind,
    MailboxFull,
    RestartLimitExceeded,
    State,
    Supervisor,
    Turn,
)


@every_seed
async def test_a_message_starts_the_actor_of_its_key_and_keys_run_side_by_side() -> None:
    hall = Hall()
    async with running(hall.root):
        hall.directory.tell_nowait(1, "slow")
        hall.directory.tell_nowait(1, "after")
        hall.directory.tell_nowait(2, "quick")
        await trio.sleep(1)
        assert hall.handled == [(2, "quick")]
        await trio.sleep(10)
        assert hall.handled == [(2, "quick"), (1, "slow"), (1, "after")]
        assert hall.directory.keys() == (1, 2)


@every_seed
async def test_ensure_starts_without_a_message_and_once() -> None:
    hall = Hall()
    async with running(hall.root):
        hall.directory.ensure(7)
        hall.directory.ensure(7)
        await trio.sleep(1)
        assert hall.awake == [7]


@every_seed
async def test_messages_before_the_directory_runs_wait_for_it() -> None:
    hall = Hall()
    hall.directory.tell_nowait(1, "early")
    async with running(hall.root):
        await trio.sleep(1)
        assert hall.handled == [(1, "early")]


@every_seed
async def test_full_is_said_of_the_mailbox_and_of_the_directory() -> None:
    hall = Hall(live_max=1, capacity=1)
    async with running(hall.root):
        hall.directory.tell_nowait(1, "slow")
        with pytest.raises(MailboxFull):
            hall.directory.tell_nowait(1, "too much")
        with pytest.raises(DirectoryFull):
            hall.directory.tell_nowait(2, "no place")
        await trio.sleep(0.1)
        hall.directory.tell_nowait(1, "b")
        await hall.directory.tell(1, "c")
        assert trio.current_time() >= 10
        await trio.sleep(1)
        assert [message for _, message in hall.handled] == ["slow", "b", "c"]


@every_seed
async def test_an_actor_that_returns_leaves_but_messages_in_the_race_start_it_again() -> None:
    hall = Hall()
    async with running(hall.root):
        for message in ("last", "next", "last"):
            hall.directory.tell_nowait(1, message)
        await trio.sleep(1)
        assert [message for _, message in hall.handled] == ["last", "next", "last"]
        assert hall.starts == 2
        assert hall.directory.keys() == ()
    assert hall.letters == []


@every_seed
async def test_an_idle_actor_falls_asleep_and_a_busy_one_does_not() -> None:
    hall = Hall(idle_after_s=4.0)
    async with running(hall.root):
        hall.directory.tell_nowait(1, "slow")
        hall.directory.tell_nowait(2, "quick")
        await trio.sleep(3.9)
        assert hall.directory.keys() == (1, 2)
        await trio.sleep(1.2)
        assert hall.directory.keys() == (1,)
        await trio.sleep(10.1)
        assert hall.directory.keys() == ()
        hall.directory.tell_nowait(2, "again")
        await trio.sleep(1)
        assert hall.handled[-1] == (2, "again")


@every_seed
async def test_an_actor_is_idle_for_its_whole_time_before_it_falls_asleep() -> None:
    hall = Hall(idle_after_s=4.0)
    async with running(hall.root):
        await trio.sleep(0.9)
        hall.directory.tell_nowait(1, "quick")
        await trio.sleep(3.9)
        assert hall.directory.keys() == (1,)
        await trio.sleep(1.2)
        assert hall.directory.keys() == ()


@every_seed
async def test_an_actor_with_a_message_now_and_then_does_not_fall_asleep() -> None:
    hall = Hall(idle_after_s=4.0)
    async with running(hall.root):
        for n in range(5):
            hall.directory.tell_nowait(1, f"quick {n}")
            await trio.sleep(3.7)
        assert hall.starts == 1


@every_seed
async def test_an_actor_that_crashed_on_its_own_is_idle_from_its_next_start() -> None:
    starts: list[float] = []

    class Frail:
        async def run(self, ctx: Context[str]) -> None:
            starts.append(trio.current_time())
            async with trio.open_nursery() as nursery:
                if len(starts) == 1:
                    nursery.start_soon(self.fall)
                async for _ in ctx.turns():
                    pass

        async def fall(self) -> None:
            await trio.sleep(3.5)
            raise ValueError("a crash beside the messages")

    keys: Directory[int, str] = Directory(
        "keys",
        lambda _: Frail(),
        mailbox_capacity=1,
        live_max=1,
        idle_after_s=4.0,
        backoff=Backoff(0.0, 0.0),
    )
    async with running(Supervisor("root", [Child("keys", keys)])):
        keys.ensure(1)
        await trio.sleep(7.4)
        assert keys.keys() == (1,)
        await trio.sleep(1.3)
        assert keys.keys() == ()
    assert len(starts) == 2


@every_seed
async def test_no_message_is_lost_while_actors_fall_asleep() -> None:
    hall = Hall(idle_after_s=1.0, capacity=2)
    async with running(hall.root):
        for n in range(60):
            await hall.directory.tell(1, str(n))
            await trio.sleep((0.0, 0.25, 0.5, 1.0, 1.125, 1.25)[n % 6])
        await trio.sleep(2)
        assert hall.handled == [(1, str(n)) for n in range(60)]
        assert hall.starts > 5
    assert hall.letters == []


@every_seed
async def test_a_message_to_an_actor_that_takes_its_time_to_fall_asleep_waits_for_the_next() -> (
    None
):
    handled: list[str] = []

    class Sleepy:
        async def run(self, ctx: Context[str]) -> None:
            async for turn in ctx.turns():
                message = turn.message
                handled.append(message)
            await trio.sleep(3)

    letters: list[DeadLetter] = []
    directory: Directory[int, str] = Directory(
        "sleepy",
        lambda _: Sleepy(),
        mailbox_capacity=2,
        live_max=2,
        idle_after_s=1.0,
        on_dead_letter=lambda _, letter: letters.append(letter),
    )
    async with running(Supervisor("root", [Child("sleepy", directory)])):
        directory.tell_nowait(1, "a")
        await trio.sleep(2)
        directory.tell_nowait(1, "b")
        await trio.sleep(3)
        assert handled == ["a", "b"]
    assert letters == []


@every_seed
async def test_a_crash_restarts_one_key_with_its_messages_and_no_other() -> None:
    hall = Hall()
    async with running(hall.root) as tree:
        hall.directory.tell_nowait(2, "a")
        hall.directory.tell_nowait(1, "crash")
        hall.directory.tell_nowait(1, "after")
        await trio.sleep(0.05)
        shown = {c.name: c for c in tree.snapshot().children[0].children}
        assert shown["1"].state is State.BACKING_OFF
        await trio.sleep(5)
        assert hall.handled == [(2, "a"), (1, "after")]
        assert [(key, letter.reason) for key, letter in hall.letters] == [(1, "poison")]
        assert hall.starts == 1 + 4


@every_seed
async def test_a_key_that_is_given_up_is_dropped_with_its_messages() -> None:
    given_up: list[tuple[int, Exception]] = []
    hall = Hall(budget=Budget(0, 60.0), on_given_up=lambda k, e: given_up.append((k, e)))
    async with running(hall.root):
        hall.directory.ensure(2)
        hall.directory.tell_nowait(1, "crash")
        hall.directory.tell_nowait(1, "after")
        await trio.sleep(1)
        ((key, error),) = given_up
        assert key == 1
        assert isinstance(error.__cause__, ValueError)
        assert [letter.message for _, letter in hall.letters] == ["crash", "after"]
        assert hall.directory.keys() == (2,)


@every_seed
async def test_a_key_that_nobody_gives_up_crashes_the_directory() -> None:
    hall = Hall(budget=Budget(0, 60.0))
    hall.root = Supervisor("root", [Child("sessions", hall.directory)], budget=Budget(0))

    async def story() -> None:
        async with running(hall.root):
            hall.directory.tell_nowait(1, "crash")
            await trio.sleep_forever()

    error = await fails_with(RestartLimitExceeded, story)
    assert isinstance(error.__cause__, RestartLimitExceeded)
    assert hall.awake == []


@every_seed
async def test_the_keys_and_their_messages_survive_a_restart_of_the_directory() -> None:
    hall = Hall(budget=Budget(1, 60.0))
    async with running(hall.root):
        hall.directory.tell_nowait(2, "slow")
        hall.directory.tell_nowait(1, "crash")
        await trio.sleep(8)
        assert hall.directory.keys() == (2, 1)
        await trio.sleep(20)
        assert hall.handled == [(2, "slow")]
        hall.directory.tell_nowait(1, "after")
        await trio.sleep(1)
        assert hall.handled == [(2, "slow"), (1, "after")]


@every_seed
async def test_the_stop_is_at_once_for_all_and_bounded_by_the_grace() -> None:
    hall = Hall()
    async with running(hall.root):
        for key in range(5):
            hall.directory.tell_nowait(key, "slow")
            hall.directory.tell_nowait(key, "waiting")
        await trio.sleep(1)
        asked_at = trio.current_time()
    assert trio.current_time() == asked_at + 5.0
    assert len(hall.letters) == 10
    with pytest.raises(ActorStopped):
        hall.directory.tell_nowait(1, "too late")


@every_seed
async def test_an_actor_that_never_reads_does_not_spin() -> None:
    class Deaf:
        starts = 0

        async def run(self, _: Context[str]) -> None:
            Deaf.starts += 1

    letters: list[DeadLetter] = []
    directory: Directory[int, str] = Directory(
        "deaf",
        lambda _: Deaf(),
        mailbox_capacity=2,
        live_max=2,
        on_dead_letter=lambda _, letter: letters.append(letter),
    )
    Deaf.starts = 0
    async with running(Supervisor("root", [Child("deaf", directory)])):
        directory.tell_nowait(1, "hello")
        await trio.sleep(1)
        assert [letter.reason for letter in letters] == ["unread"]
        assert Deaf.starts == 2
        assert directory.keys() == ()


@every_seed
async def test_the_snapshot_shows_the_busiest_and_counts_all() -> None:
    hall = Hall(live_max=100)
    async with running(hall.root) as tree:
        for key in range(60):
            hall.directory.tell_nowait(key, "slow")
        await trio.sleep(1)
        hall.directory.tell_nowait(33, "x")
        shown = tree.snapshot().children[0]
        assert (shown.kind, shown.children_total, len(shown.children)) == (Kind.DIRECTORY, 60, 50)
        assert (shown.children[0].path, shown.children[0].current_message) == (
            "root/sessions/33",
            "str",
        )


@every_seed
async def test_one_run_per_key_even_when_many_senders_race() -> None:
    hall = Hall(idle_after_s=0.5, capacity=1)

    async def send(n: int) -> None:
        for m in range(10):
            await hall.directory.tell(n % 2, f"{n}.{m}")
            await trio.sleep(0.1 * n)

    async with running(hall.root):
        async with trio.open_nursery() as senders:
            for n in range(8):
                senders.start_soon(send, n)
        await trio.sleep(1)
        assert len(hall.handled) == 80
    assert hall.letters == []


def test_bounds_are_checked_where_they_are_said() -> None:
    def make(_: int) -> Any:
        raise AssertionError

    with pytest.raises(AssertionError):
        Directory("d", make, mailbox_capacity=1, live_max=0)
    with pytest.raises(AssertionError):
        Directory("d", make, mailbox_capacity=1, live_max=1, idle_after_s=0.0)


@every_seed
async def test_an_ask_finds_or_starts_the_actor_of_its_key() -> None:
    async def answer(turn: Turn[Any]) -> None:
        turn.reply(turn.message.number * 2)

    doubles: Directory[str, Any] = Directory(
        "doubles", lambda _: Handler(answer), mailbox_capacity=4, live_max=1
    )
    async with running(Supervisor("root", [Child("doubles", doubles)])):
        assert await doubles.ask("a", Double(4), 1.0) == 8
        with pytest.raises(DirectoryFull):
            await doubles.ask("b", Double(4), 1.0)
