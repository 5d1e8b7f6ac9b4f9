"""What comes to be handled too late is answered, and not carried out."""

import pytest

from tests.stories import kit
from trt.domain.reasons import Reason
from trt.sandbox.telegram_chat import FakeMessage
from trt.sandbox.telegram_user import FakeUser
from trt.storage import lease
from trt.telemetry.events import EventName
from trt.testing.world import World

STALE = ("refused", "STALE_UPDATE")
SAID = "долго молчали"


async def _menu(w: World, user: FakeUser) -> FakeMessage:
    user.send("/start")
    return await user.wait_message("Что создаём?")


async def _nobody_handles(w: World, *, for_s: float) -> None:
    """Let an instance that takes no updates lead for a while, and a passive one get the posts."""
    await w.settled(1)
    await w.bot.stop()
    await w.db.transact(lease.acquire, w.lease_terms.name, holder="x", pid=1, ttl_s=for_s)
    await w.start()


async def _age(w: World, update_id: int, by_s: float) -> None:
    await w.rows(
        "UPDATE inbox SET received_at = received_at - :by_s WHERE update_id = :id RETURNING 1",
        by_s=by_s,
        id=update_id,
    )


@kit.SEEDS
def test_taps_that_nobody_handled_in_150_s_do_nothing_and_are_told_of_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        menu = await _menu(w, anna)
        await _nobody_handles(w, for_s=200.0)
        taps = [anna.tap("cat:image", menu)]
        await w.settled(20)
        taps.append(anna.tap("cat:video", menu))
        await w.settled(200)
        assert [await kit.inbox_state(w, tap.update_id) for tap in taps] == [STALE, STALE]
        assert menu.button("model:z-image") is None
        assert menu.button("cat:image") is not None
        assert kit.count(anna, SAID) == 1
        notice = await anna.wait_message(SAID)
        assert notice.button("main_menu") is not None
        refused = w.told(EventName.DISPATCH_REFUSED, reason_code=Reason.STALE_UPDATE)
        assert [event.fields["update_id"] for event in refused] == [tap.update_id for tap in taps]
        assert not w.told(EventName.ANSWER_CALLBACK_QUERY, reason_code=Reason.DOWNSTREAM_TIMEOUT)
        await kit.pressed(anna, "main_menu", notice)
        await w.settled(1)
        assert notice.button("cat:image") is not None

    kit.tell(story, seed)


@pytest.mark.parametrize(("age_s", "state"), [(140.0, ("done", "SUCCESS")), (160.0, STALE)])
def test_a_tap_lives_as_long_as_telegram_takes_its_answer(
    age_s: float, state: tuple[str, str]
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        menu = await _menu(w, anna)
        await _nobody_handles(w, for_s=5.0)
        tap = anna.tap("cat:image", menu)
        await w.settled(1)
        await _age(w, tap.update_id, age_s)
        await w.settled(20)
        assert await kit.inbox_state(w, tap.update_id) == state

    kit.tell(story)


@pytest.mark.parametrize(("age_h", "state"), [(23.9, ("done", "SUCCESS")), (24.1, STALE)])
def test_a_message_lives_for_a_day(age_h: float, state: tuple[str, str]) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user(language_code="en-GB")
        await _nobody_handles(w, for_s=5.0)
        sent = anna.send("/help")
        await w.settled(1)
        await _age(w, sent, age_h * 3600)
        await w.settled(20)
        assert await kit.inbox_state(w, sent) == state
        assert kit.count(anna, "How it works") == (state != STALE)
        assert kit.count(anna, "silent for a while") == (state == STALE)

    kit.tell(story)


@kit.SEEDS
def test_who_was_told_once_is_told_again_after_the_next_silence(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        menu = await _menu(w, anna)
        for silences in (1, 2):
            await _nobody_handles(w, for_s=5.0)
            tap = anna.tap("cat:image", menu)
            await w.settled(1)
            await _age(w, tap.update_id, 300.0)
            await w.settled(20)
            assert kit.count(anna, SAID) == silences

    kit.tell(story, seed)
