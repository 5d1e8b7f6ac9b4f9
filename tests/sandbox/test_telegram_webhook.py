"""Updates reach the bot as the source of the official Bot API server says."""

from datetime import timedelta

import httpx
import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.sandbox.in_process import HOOK, SECRET, Outside, outside
from trt.sandbox.http import ConnectionCut, Reply
from trt.sandbox.telegram_rates import NO_LIMITS
from trt.sandbox.telegram_stars import CheckoutState
from trt.sandbox.wire_log import Direction

BAD = Reply(status=500, body=b"")


def ids(out: Outside) -> list[int]:
    return [msgspec.json.decode(request.body)["update_id"] for request in out.bot.requests]


async def hang() -> Reply:
    await trio.sleep_forever()
    raise AssertionError


async def cut() -> Reply:
    raise ConnectionCut


async def slow() -> Reply:
    await trio.sleep(20)
    return Reply(status=204, body=b"")


async def test_an_update_is_posted_with_the_secret(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        await out.set_webhook()
        update_id = out.telegram.user(first_name="Борис").send("/start@bot да")
        await trio.sleep(1)
        [request] = out.bot.requests
        assert request.path == "/webhook"
        assert request.headers["x-telegram-bot-api-secret-token"] == SECRET
        body = msgspec.json.decode(request.body)
        assert body["update_id"] == update_id
        message = body["message"]
        assert (message["text"], message["from"]["first_name"]) == ("/start@bot да", "Борис")
        assert message["entities"] == [{"type": "bot_command", "offset": 0, "length": 10}]
        assert out.telegram.update(update_id).attempts == [200]
        assert not out.telegram.pending


async def test_failures_are_retried_with_growing_pauses(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        await out.set_webhook()
        out.bot.answers += [BAD] * 8
        update_id = out.telegram.user().send("x")
        await trio.sleep(1_000)
        assert ids(out) == [update_id] * 9
        pauses = [later - sooner for sooner, later in zip(out.bot.at, out.bot.at[1:], strict=False)]
        assert pauses[:6] == pytest.approx([0, 2, 4, 8, 16, 32])
        assert all(60 <= pause <= 120 for pause in pauses[6:])
        assert out.telegram.update(update_id).attempts == [500] * 8 + [200]


async def test_no_answer_within_a_minute_is_a_failure(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        await out.set_webhook()
        out.bot.answers += [hang, cut, Reply(status=201, body=b"")]
        update_id = out.telegram.user().send("x")
        await trio.sleep(59)
        assert len(out.bot.requests) == 1
        await trio.sleep(10)
        assert out.telegram.update(update_id).attempts == [None, None, 201]
        assert out.bot.at[1] - out.bot.at[0] == pytest.approx(60)
        info = await out.result("getWebhookInfo")
        assert info["last_error_message"] == "Connection closed"
        assert [entry.status for entry in out.wire.entries[-4:-1]] == [None, None, 201]
        assert out.wire.entries[-2].direction is Direction.TO_BOT


async def test_retry_after_of_the_bot_is_honoured(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        await out.set_webhook()
        out.bot.answers += [
            Reply(status=503, body=b"", headers=(("retry-after", "7"),)),
            Reply(status=429, body=b"", headers=(("retry-after", "99999"),)),
        ]
        out.telegram.user().send("x")
        await trio.sleep(4_000)
        assert [at - out.bot.at[0] for at in out.bot.at] == pytest.approx([0, 7, 3_607])


async def test_one_queue_is_in_order_and_delays_no_other(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        await out.set_webhook()
        anna, boris = out.telegram.user(), out.telegram.user()
        out.bot.answers += [slow]
        first, second = anna.send("1"), anna.send("2")
        await trio.sleep(1)
        third = boris.send("3")
        await trio.sleep(1)
        assert ids(out) == [first, third]
        await trio.sleep(30)
        assert ids(out) == [first, third, second]


async def test_a_tap_overtakes_a_stuck_message(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        button = {"inline_keyboard": [[{"text": "a", "callback_data": "a"}]]}
        await out.result("sendMessage", chat_id=user.user_id, text="x", reply_markup=button)
        out.bot.answers += [slow]
        await out.set_webhook()
        await trio.sleep(1)
        tap = user.tap("a")
        await trio.sleep(1)
        assert ids(out)[-1] == tap.update_id
        assert len(out.telegram.pending) == 1


async def test_at_most_the_asked_connections_are_open(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        await out.result("setWebhook", url=HOOK, max_connections=2)
        out.bot.answers += [slow] * 4
        for _ in range(4):
            out.telegram.user().send("x")
        await trio.sleep(19)
        assert len(out.bot.requests) == 2
        await trio.sleep(19)
        assert len(out.bot.requests) == 4


async def test_what_expires_is_dropped(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        button = {"inline_keyboard": [[{"text": "a", "callback_data": "a"}]]}
        await out.result("sendMessage", chat_id=user.user_id, text="x", reply_markup=button)
        await out.result("setWebhook", url="https://nobody.test/x")
        tap, checkout = user.tap("a"), user.pre_checkout("order", 1)
        await trio.sleep(151)
        assert {update.kind for update in out.telegram.dropped} == {
            "callback_query",
            "pre_checkout_query",
        }
        assert out.telegram.dropped[0].update_id == tap.update_id
        assert user.state(checkout) is CheckoutState.TIMED_OUT
        [message] = out.telegram.pending
        info = await out.result("getWebhookInfo")
        assert info["last_error_message"] == "Connection refused"
        assert info["pending_update_count"] == 1
        assert message.expires_at - out.sources.now() < timedelta(hours=24)
        await trio.sleep(24 * 60 * 60)
        assert not out.telegram.pending


async def test_redelivery_keeps_the_update_id(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        await out.set_webhook()
        user = out.telegram.user()
        first = user.send("x")
        await trio.sleep(1)
        out.telegram.redeliver(first)
        second = user.send("y")
        await trio.sleep(1)
        assert ids(out) == [first, first, second]
        assert second == first + 1


async def test_a_new_webhook_gets_what_waits_at_once(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        await out.result("setWebhook", url="https://nobody.test/x")
        out.telegram.user().send("x")
        await trio.sleep(40)
        await out.set_webhook()
        await trio.sleep(0.1)
        assert len(out.bot.requests) == 1


async def test_only_asked_for_kinds_are_delivered(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        await out.result("setWebhook", url=HOOK, allowed_updates=["callback_query"])
        update_id = out.telegram.user().send("x")
        await trio.sleep(1)
        assert not out.bot.requests
        assert out.telegram.update(update_id).dropped_at is not None


async def test_polling_confirms_by_offset(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, limits=NO_LIMITS) as out:
        user = out.telegram.user()
        first, second = user.send("1"), user.send("2")
        got = await out.result("getUpdates", limit=1)
        assert [update["update_id"] for update in got] == [first]
        got = await out.result("getUpdates", offset=first + 1)
        assert [update["update_id"] for update in got] == [second]
        began = trio.current_time()
        assert await out.result("getUpdates", offset=second + 1, timeout=99) == []
        assert trio.current_time() - began == pytest.approx(50)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send_later, out)
            began = trio.current_time()
            assert len(await out.result("getUpdates", timeout=30)) == 1
            assert trio.current_time() - began == pytest.approx(5)


async def _send_later(out: Outside) -> None:
    await trio.sleep(5)
    out.telegram.user().send("3")


async def test_only_one_way_to_get_updates_at_a_time(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        answers: list[httpx.Response] = []

        async def poll() -> None:
            answers.append(await out.call("getUpdates", timeout=30))

        async with trio.open_nursery() as nursery:
            for wait_s in (0, 1, 2):
                await trio.sleep(wait_s)
                nursery.start_soon(poll)
            await trio.sleep(1)
            await out.set_webhook()
        words = [answer.json()["description"].split(";")[0] for answer in answers]
        assert words == [
            "Conflict: terminated by other getUpdates request",
            "Conflict: terminated by other getUpdates request",
            "Conflict: terminated by setWebhook request",
        ]
        assert (await out.refusal("getUpdates"))[0] == 409
