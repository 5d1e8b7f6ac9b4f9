"""What is ordered to go wrong goes wrong, at the ordered calls and only there."""

import httpx
import pytest
import trio
from trio.testing import MockClock

from tests.sandbox.in_process import TOKEN, outside
from trt.sandbox.faults import Call, CutAfter, CutBefore, ServerError, Slow, SlowAnswer, TooMany
from trt.sandbox.wire_log import Service


async def test_a_fault_hits_its_method_its_chat_and_its_times(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        anna, boris = out.started_user(), out.started_user()
        out.telegram.faults.add("sendMessage", TooMany(9), times=2, chat_id=anna.user_id)
        for_anna = {"chat_id": anna.user_id, "text": "x"}
        await out.result("sendMessage", chat_id=boris.user_id, text="x")
        await out.result("sendChatAction", chat_id=anna.user_id, action="typing")
        for _ in range(2):
            response = await out.call("sendMessage", **for_anna)
            assert response.headers["Retry-After"] == "9"
        await out.result("sendMessage", **for_anna)


async def test_a_gateway_answers_in_html(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        out.telegram.faults.add(None, ServerError(502))
        response = await out.call("getMe")
        assert response.status_code == 502
        assert response.headers["content-type"] == "text/html"
        await out.result("getMe")


async def test_cut_before_did_nothing_and_cut_after_did_it(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        message = {"chat_id": user.user_id, "text": "x"}
        for fault, count in ((CutBefore(), 1), (CutAfter(), 2)):
            out.telegram.faults.add("sendMessage", fault)
            with pytest.raises(httpx.ReadError):
                await out.call("sendMessage", **message)
            assert len(user.messages) == count
            assert out.wire.entries[-1].status is None


async def test_slow_takes_its_time(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        out.telegram.faults.add("getMe", Slow(12))
        began = trio.current_time()
        await out.result("getMe")
        assert trio.current_time() - began == pytest.approx(12)
        assert out.wire.entries[-1].duration_s == pytest.approx(12)


async def test_who_gives_up_on_a_slow_answer_is_too_late(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        out.telegram.faults.add("sendMessage", SlowAnswer(60))
        with trio.move_on_after(10) as scope:
            await out.call("sendMessage", chat_id=user.user_id, text="x")
        assert scope.cancelled_caught
        assert user.last.text == "x"
        assert out.wire.entries[-1].status is None


async def test_hooks_stand_around_the_executed_call(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        seen: list[tuple[str, int]] = []

        async def note(call: Call) -> None:
            await trio.lowlevel.checkpoint()
            assert call.chat_id == user.user_id
            seen.append((call.name, len(user.messages)))

        out.telegram.before_call = note
        out.telegram.after_call = note
        await out.result("sendMessage", chat_id=user.user_id, text="x")
        assert seen == [("sendMessage", 1), ("sendMessage", 2)]


async def test_the_wire_log_holds_no_secret(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        await out.call("sendMessage", chat_id=1, text="canary-text")
        await out.call(f"../bot{TOKEN}/x")
        await out.create_task(input={"prompt": "canary-prompt", "aspect_ratio": "7:7"})
        await trio.sleep(20)
        assert {entry.service for entry in out.wire.entries} == set(Service)
        shown = repr(out.wire.entries) + repr(out.telegram.calls) + repr(out.kie.tasks)
        assert "canary" not in shown
        assert TOKEN not in shown


async def test_a_new_entry_reaches_who_follows_the_log(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        with out.wire.subscribe() as entries:
            await out.result("getMe")
            entry = await entries.receive()
        assert (entry.what, entry.status, entry.number) == ("getMe", 200, 1)
