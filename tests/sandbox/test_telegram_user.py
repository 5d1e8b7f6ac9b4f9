"""A person sees what Telegram shows, and can do what Telegram's app can do."""

import pytest
import trio
from trio.testing import MockClock

from tests.sandbox.in_process import Outside, outside
from trt.sandbox.telegram_chat import MessageAdded, MessageEdited, TapAnswered, TapMade
from trt.sandbox.telegram_user import FakeUser, NotSeen

BUTTONS = {
    "inline_keyboard": [
        [{"text": "Да", "callback_data": "yes"}],
        [{"text": "Сайт", "url": "a.b"}],
    ]
}


async def edit_later(out: Outside, user: FakeUser) -> None:
    await trio.sleep(5)
    message = {"chat_id": user.user_id, "message_id": user.last.message_id}
    await out.result("editMessageText", **message, text="Готово")


async def test_waiting_sees_what_is_there_and_what_an_edit_brings(
    autojump_clock: MockClock,
) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        await out.result("sendMessage", chat_id=user.user_id, text="Рисую…")
        assert (await user.wait_message("Рисую")).message_id == 2
        out.nursery.start_soon(edit_later, out, user)
        message = await user.wait_message("Готово", timeout_s=6)
        assert (message.message_id, message.is_edited) == (2, True)
        began = trio.current_time()
        with pytest.raises(NotSeen, match="Готово"):
            await user.wait_message("Готово", timeout_s=9, after=message)
        assert trio.current_time() - began == pytest.approx(9)


async def test_only_a_button_that_is_there_can_be_pressed(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        with pytest.raises(NotSeen):
            user.tap("Да")
        await out.result("sendMessage", chat_id=user.user_id, text="?", reply_markup=BUTTONS)
        tap = user.tap("Да")
        assert (tap.data, user.tap("yes").data) == ("yes", "yes")
        with pytest.raises(NotSeen):
            user.tap("Сайт")
        with pytest.raises(NotSeen):
            user.tap("Да", user.messages[0])
        again = user.resend(tap)
        assert again.update_id > tap.update_id
        assert again.callback_id != tap.callback_id
        assert user.tap_data("forged").data == "forged"
        with pytest.raises(NotSeen):
            await user.wait_answer(tap, timeout_s=1)


async def test_a_watcher_is_told_of_every_change(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        with out.telegram.subscribe() as changes:
            user = out.started_user()
            await out.result("sendMessage", chat_id=user.user_id, text="?", reply_markup=BUTTONS)
            tap = user.tap("Да")
            await out.result("answerCallbackQuery", callback_query_id=tap.callback_id)
            await edit_later(out, user)
            seen = [type(changes.receive_nowait()) for _ in range(5)]
        assert seen == [MessageAdded, MessageAdded, TapMade, TapAnswered, MessageEdited]


async def test_media_come_as_the_bot_api_writes_them(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.telegram.user()
        user.send_sticker()
        user.send_voice()
        user.send_document(b"x", "a.txt")
        content = [update.body["message"] for update in out.telegram.pending]
        assert content[0]["sticker"]["type"] == "regular"
        assert content[1]["voice"]["mime_type"] == "audio/ogg"
        assert content[2]["document"]["file_name"] == "a.txt"


async def test_who_comes_twice_is_the_same_person(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        one, other = out.telegram.user(), out.telegram.user(first_name="Борис")
        assert out.telegram.user(one.user_id) is one
        assert out.telegram.users == (one, other)
