"""What is full says so: Telegram keeps the update, or the one user is asked to wait."""

import json

import httpx

from tests.conftest import LogOfTest
from tests.stories import kit
from trt.actors.parts import Limits
from trt.storage.errors import DatabaseUnavailable
from trt.telemetry.events import EventName
from trt.testing.trouble import When
from trt.testing.world import World


@kit.SEEDS
def test_a_full_ingress_channel_means_503_and_nothing_is_lost(seed: int, log: LogOfTest) -> None:
    log.claim("ACTOR_CRASHED")
    limits = Limits(ingress_channel=2, ingress_mailbox=2, accept_within_s=0.5)

    async def story(w: World) -> None:
        people = [w.telegram.user() for _ in range(30)]
        await _interrupt_the_dispatcher(w)
        ids = [user.send("/start") for user in people[:10]]
        await w.settled(1)
        ids += [user.send("/start") for user in people[10:]]
        await w.settled(8)
        refused = w.told(EventName.UPDATE_REFUSED)
        assert refused
        assert any(503 in w.telegram.update(update_id).attempts for update_id in ids)
        health = (await w.http.get("https://bot.test/health")).json()
        assert health["queue"]["backpressure_active"]
        assert health["queue"]["drop_rate_percent"] > 0
        assert health["queue"]["last_drop_time"]
        w.bot.trouble.release("mark_suspects")
        await w.settled(120)
        assert [w.telegram.update(update_id).attempts[-1] for update_id in ids] == [200] * 30
        assert [kit.count(user, "Что создаём?") for user in people] == [1] * 30
        assert not w.telegram.pending

    kit.tell(story, seed, limits=limits)


async def _interrupt_the_dispatcher(w: World) -> None:
    """Let the lease go and come back, with a dispatcher that cannot begin."""
    await w.settled(1)
    w.bot.trouble.hold("mark_suspects")
    await w.rows("UPDATE lease SET epoch = epoch + 1 RETURNING 1")
    await w.settled(4)
    assert w.bot.trouble.waiting == 1


@kit.SEEDS
def test_a_503_carries_retry_after_and_reaches_nobody_in_halves(seed: int) -> None:
    async def story(w: World) -> None:
        w.bot.trouble.fail("store", DatabaseUnavailable("full"), when=When.INSIDE, times=1)
        body = json.dumps(_start(7)).encode()
        refused = await w.post(body)
        assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert int(refused.headers["retry-after"]) >= 1
        assert await w.rows("SELECT * FROM inbox WHERE update_id = 7") == []
        assert (await w.post(body)).status_code == httpx.codes.OK
        assert (await w.post(body)).status_code == httpx.codes.OK
        await w.settled()
        assert len(w.told(EventName.DISPATCH_OK, update_id=7)) == 1

    kit.tell(story, seed)


def _start(update_id: int) -> dict[str, object]:
    person = {"id": 42, "is_bot": False, "first_name": "X", "language_code": "ru"}
    chat = {"id": 42, "type": "private", "first_name": "X"}
    message = {"message_id": 1, "from": person, "chat": chat, "date": 1, "text": "/start"}
    return {"update_id": update_id, "message": message}


@kit.SEEDS
def test_a_full_mailbox_of_one_person_is_refused_politely_and_is_no_matter_of_others(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        for user in (anna, boris):
            user.send("/start")
        menu = await anna.wait_message("Что создаём?")
        await boris.wait_message("Что создаём?")
        await w.settled()
        w.bot.trouble.hold("handle")
        anna.send("/help")
        boris.send("/help")
        await w.settled(0.1)
        for _ in range(10):
            anna.send("/menu")
        await w.settled(0.1)
        tap = anna.tap("cat:image", menu)
        answer = await anna.wait_answer(tap)
        assert "Слишком много действий" in answer.text
        assert await kit.inbox_state(w, tap.update_id) == ("refused", "MAILBOX_FULL")
        w.bot.trouble.release("handle")
        await boris.wait_message("Как это работает", 1)
        await anna.wait_message("Слишком много действий")
        await w.settled()
        assert kit.count(anna, "Слишком много действий") == 1  # said once, not once per message
        assert kit.count(boris, "Слишком много") == 0
        refused = w.told(EventName.DISPATCH_REFUSED, user_id=anna.user_id)
        assert {event.fields["reason_code"] for event in refused} == {"MAILBOX_FULL"}
        anna.send("/balance")
        await anna.wait_message("100 ₽")

    kit.tell(story, seed, limits=Limits(session_mailbox=4))


def test_a_hundred_people_at_once_all_get_their_menu() -> None:
    async def story(w: World) -> None:
        people = [w.telegram.user() for _ in range(100)]
        for user in people:
            user.send("/start")
        await w.settled(60)
        assert all(kit.count(user, "Что создаём?") == 1 for user in people)
        assert w.bot.app.vitals().totals.received == 100

    kit.tell(story)
