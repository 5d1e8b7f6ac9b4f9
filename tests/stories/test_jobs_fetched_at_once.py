"""The bytes of a result are fetched when they are there, not when the chat has its turn."""

import trio

from tests.stories import job_kit, kit
from trt.sandbox.faults import CutBefore, TooMany
from trt.sandbox.kie_script import Succeed
from trt.testing.world import World

AT_ONCE_S = 2.0


async def succeeded_s(w: World) -> float:
    """Wait for the only task's success; returns when it was, on trio's clock."""
    while not w.kie.tasks or w.kie.tasks[0].state != "success":
        await w.settled(0.1)
    [task] = w.kie.tasks
    return task.created + task.duration_s


@kit.SEEDS
def test_a_result_is_fetched_within_two_seconds_and_only_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        fetches = job_kit.note_fetches(w)
        await kit.orders_picture(anna)
        at_s = await succeeded_s(w)
        await w.settled(60)
        [(fetched_s, _)] = fetches
        assert at_s <= fetched_s < at_s + AT_ONCE_S
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_frozen_chat_does_not_keep_the_bytes_waiting(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        fetches = job_kit.note_fetches(w)
        w.kie.script(Succeed(files=2))
        await kit.orders_picture(anna)
        w.telegram.faults.add("sendMessage", TooMany(300), chat_id=anna.user_id)
        anna.send("/help")
        at_s = await succeeded_s(w)
        await w.settled(AT_ONCE_S)
        assert kit.pictures(anna) == []
        assert len(fetches) == 2
        assert max(fetched_s for fetched_s, _ in fetches) < at_s + AT_ONCE_S
        await w.settled(400)
        assert trio.current_time() > at_s + 300
        assert len(kit.pictures(anna)) == 2
        assert len(fetches) == 2
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_what_is_sent_again_is_not_fetched_again(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        fetches = job_kit.note_fetches(w)
        w.telegram.faults.add("sendPhoto", TooMany(5))
        w.telegram.faults.add("sendPhoto", CutBefore(), times=2)
        await kit.orders_picture(anna)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 1
        assert len(fetches) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_what_was_sent_is_kept_no_longer(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        fetches = job_kit.note_fetches(w)
        await kit.orders_picture(anna)
        await w.settled(60)
        anna.send("/jobs")
        await kit.pressed(anna, "📥 Получить 1", await anna.wait_message("Мои задачи"))
        await w.settled(60)
        assert len(kit.pictures(anna)) == 2
        assert len(fetches) == 2

    kit.tell(story, seed)
