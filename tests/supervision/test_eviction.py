"""Who makes room when a directory is full, and that nothing is lost by it."""

import pytest
import trio

from tests.supervision.hall import Hall
from tests.supervision.stage import every_seed, running
from trt.supervision import DirectoryFull, WhenFull


@every_seed
async def test_the_actor_that_is_idle_for_longest_makes_room_and_a_busy_one_does_not() -> None:
    hall = Hall(live_max=3, when_full=WhenFull.EVICT_IDLE)
    async with running(hall.root):
        for key, message in ((1, "slow"), (2, "a"), (3, "a")):
            hall.directory.tell_nowait(key, message)
            await trio.sleep(1)
        hall.directory.tell_nowait(4, "new")
        await trio.sleep(0.1)
        assert hall.directory.keys() == (1, 3, 4)
        for key in (3, 4):
            hall.directory.tell_nowait(key, "slow")
        await trio.sleep(0.1)
        with pytest.raises(DirectoryFull):
            hall.directory.tell_nowait(5, "no place")
    assert [message for _, message in hall.handled] == ["a", "a", "new"]


@every_seed
async def test_who_had_work_again_is_not_the_one_that_is_idle_for_longest() -> None:
    hall = Hall(live_max=3, when_full=WhenFull.EVICT_IDLE)
    async with running(hall.root):
        for key in (1, 2, 3, 1, 2):
            hall.directory.tell_nowait(key, "a")
            await trio.sleep(1)
        for key, still_there in ((4, (1, 2, 4)), (5, (2, 4, 5)), (6, (4, 5, 6))):
            hall.directory.tell_nowait(key, "new")
            await trio.sleep(1)
            assert hall.directory.keys() == still_there


@every_seed
async def test_a_message_to_an_actor_that_makes_room_is_handled_when_there_is_a_place_again() -> (
    None
):
    hall = Hall(live_max=1, when_full=WhenFull.EVICT_IDLE)
    async with running(hall.root):
        hall.directory.tell_nowait(1, "a")
        await trio.sleep(1)
        hall.directory.tell_nowait(2, "b")
        hall.directory.tell_nowait(1, "c")
        await trio.sleep(1)
        assert sorted(hall.handled) == [(1, "a"), (1, "c"), (2, "b")]
        assert len(hall.awake) == 1
    assert hall.letters == []


@every_seed
async def test_no_message_is_lost_and_no_bound_broken_while_actors_make_room_for_others() -> None:
    hall = Hall(live_max=2, capacity=2, when_full=WhenFull.EVICT_IDLE, idle_after_s=3.0)
    sent: list[tuple[int, str]] = []

    async def send(key: int) -> None:
        for n in range(12):
            await trio.sleep(0.05 * ((key + n) % 4))
            try:
                await hall.directory.tell(key, str(n))
            except DirectoryFull:
                continue
            sent.append((key, str(n)))

    async with running(hall.root):
        async with trio.open_nursery() as senders:
            for key in range(5):
                senders.start_soon(send, key)
        await trio.sleep(9)
        assert sorted(hall.handled) == sorted(sent)
        assert hall.awake_peak <= 2
        assert hall.directory.keys() == ()
    assert hall.letters == []
