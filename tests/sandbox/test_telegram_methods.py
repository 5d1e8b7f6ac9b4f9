"""Telegram refuses what the real one refuses, in its words."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.sandbox.in_process import SECRET, TOKEN, outside
from trt.sandbox.telegram_rates import NO_LIMITS, Limits

TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"


def keyboard(*data: str) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": f"to {one}", "callback_data": one}] for one in data]}


async def test_every_encoding_of_arguments_does_the_same(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, limits=NO_LIMITS) as out:
        user = out.started_user()
        base = f"https://telegram.test/bot{TOKEN}/SENDmessage"
        markup = '{"inline_keyboard":[[{"text":"ok","callback_data":"go"}]]}'
        plain = {"chat_id": str(user.user_id), "text": "привет", "reply_markup": markup}
        typed = {"chat_id": user.user_id, "text": "привет", "reply_markup": keyboard("go")}
        files = {"unused": ("x.bin", b"1")}
        for response in (
            await out.http.get(base, params=plain),
            await out.http.post(base, data=plain),
            await out.http.post(base, data=plain, files=files),
            await out.http.post(base, json=plain),
            await out.http.post(base, json=typed),
        ):
            assert response.status_code == 200, response.text
        assert [message.text for message in user.messages[1:]] == ["привет"] * 5
        assert all(message.buttons[0].data == "go" for message in user.messages[1:])


async def test_a_wrong_door_is_refused(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        wrong = await out.http.post("https://telegram.test/bot1:x/getMe")
        assert (wrong.status_code, wrong.json()["description"]) == (401, "Unauthorized")
        assert await out.refusal("getYou") == (404, "Not Found: method not found")
        assert (await out.result("getMe"))["username"] == "trt_sandbox_bot"


async def test_an_unknown_argument_is_refused_only_when_strict(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        code, text = await out.refusal("getMe", colour="red")
        assert code == 400
        assert "colour" in text
    async with outside(autojump_clock, is_strict=False) as out:
        await out.result("getMe", colour="red")


@pytest.mark.parametrize(
    ("arguments", "code", "description"),
    [
        ({"text": ""}, 400, "message text is empty"),
        ({"text": "  \n"}, 400, "text must be non-empty"),
        ({"text": "<b> </b>", "parse_mode": "HTML"}, 400, "text must be non-empty"),
        ({"text": "x" * 4097}, 400, "message is too long"),
        ({"text": "x", "chat_id": 5}, 400, "chat not found"),
        ({"text": "x", "chat_id": True}, 400, "parameter chat_id has a wrong type"),
        ({"text": "x", "parse_mode": "Nope"}, 400, "unsupported parse_mode"),
        ({"text": "x", "reply_markup": []}, 400, "object expected as reply markup"),
        ({"text": "x", "reply_markup": keyboard("")}, 400, "BUTTON_DATA_INVALID"),
        ({"text": "x", "reply_markup": keyboard("я" * 33)}, 400, "BUTTON_DATA_INVALID"),
        (
            {"text": "x", "reply_markup": keyboard(*map(str, range(101)))},
            400,
            "reply markup is too long",
        ),
        (
            {"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "nothing"}]]}},
            400,
            "Text buttons are unallowed in the inline keyboard",
        ),
    ],
)
async def test_a_message_that_breaks_a_rule_is_refused(
    autojump_clock: MockClock, arguments: dict[str, Any], code: int, description: str
) -> None:
    async with outside(autojump_clock, limits=NO_LIMITS) as out:
        user = out.started_user()
        refusal = await out.refusal("sendMessage", **({"chat_id": user.user_id} | arguments))
        assert refusal == (code, f"Bad Request: {description}")
        assert len(user.messages) == 1


async def test_the_length_counts_after_parsing(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        text = f"<b>{'x' * 4095}</b>&lt;"
        await out.result("sendMessage", chat_id=user.user_id, text=text, parse_mode="HTML")
        assert len(user.last.text) == 4096
        await out.result(
            "sendMessage", chat_id=user.user_id, text="x", reply_markup=keyboard("x" * 64)
        )


async def test_a_bot_may_not_write_first_nor_to_who_blocked_it(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.telegram.user()
        arguments = {"chat_id": user.user_id, "text": "x"}
        refusal = (403, "Forbidden: bot can't initiate conversation with a user")
        assert await out.refusal("sendMessage", **arguments) == refusal
        user.send("/start")
        user.blocked = True
        refusal = (403, "Forbidden: bot was blocked by the user")
        assert await out.refusal("sendMessage", **arguments) == refusal
        user.blocked = False
        await out.result("sendMessage", **arguments)
        kinds = [update.kind for update in out.telegram.pending]
        assert kinds == ["message", "my_chat_member", "my_chat_member"]


async def test_an_edit_must_change_something_of_the_bots_own(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, limits=NO_LIMITS) as out:
        user = out.started_user()
        chat = {"chat_id": user.user_id}
        await out.result("sendMessage", **chat, text="один", reply_markup=keyboard("a"))
        edit = chat | {"message_id": user.last.message_id}
        code, text = await out.refusal(
            "editMessageText", **edit, text="один", reply_markup=keyboard("a")
        )
        assert (code, text[:38]) == (400, "Bad Request: message is not modified: ")
        assert not user.last.is_edited
        await out.result("editMessageText", **edit, text="один")
        assert (user.last.edits, user.last.keyboard) == (1, ())
        await out.result("editMessageReplyMarkup", **edit, reply_markup=keyboard("b"))
        assert (user.last.edits, user.last.buttons[0].data) == (2, "b")
        for target, description in (
            ({"message_id": 77}, "message to edit not found"),
            ({"message_id": user.messages[0].message_id}, "message can't be edited"),
        ):
            refusal = await out.refusal("editMessageText", **(edit | target), text="x")
            assert refusal == (400, f"Bad Request: {description}")
        await out.result("deleteMessage", **edit)
        refusal = await out.refusal("editMessageText", **edit, text="x")
        assert refusal == (400, "Bad Request: message to edit not found")


async def test_a_tap_is_answered_once_and_in_time(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, limits=Limits(callback_answer_s=15)) as out:
        user = out.started_user()
        await out.result(
            "sendMessage", chat_id=user.user_id, text="меню", reply_markup=keyboard("a")
        )
        tap = user.tap("to a")
        assert user.answer(tap) is None
        query = {"callback_query_id": tap.callback_id}
        assert (await out.refusal("answerCallbackQuery", **query, text="x" * 201))[0] == 400
        await out.result("answerCallbackQuery", **query, text="ок", show_alert=True)
        answer = await user.wait_answer(tap)
        assert (answer.text, answer.is_alert, answer.after_s) == ("ок", True, 0.0)
        assert await out.refusal("answerCallbackQuery", **query) == (400, TOO_OLD)
        late = user.resend(tap)
        await trio.sleep(15.1)
        query = {"callback_query_id": late.callback_id}
        assert await out.refusal("answerCallbackQuery", **query) == (400, TOO_OLD)
        query = {"callback_query_id": "1"}
        assert await out.refusal("answerCallbackQuery", **query) == (400, TOO_OLD)


async def test_a_chat_takes_a_burst_and_then_one_a_second(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, limits=Limits(chat_burst=3)) as out:
        user, other = out.started_user(), out.started_user()
        chat = {"chat_id": user.user_id, "text": "x"}
        for _ in range(3):
            await out.result("sendMessage", **chat)
        response = await out.call("sendMessage", **chat)
        assert response.status_code == 429
        assert response.headers["Retry-After"] == "1"
        assert response.json()["parameters"] == {"retry_after": 1}
        edit = chat | {"message_id": user.last.message_id, "text": "y"}
        assert (await out.refusal("editMessageText", **edit))[0] == 429
        await out.result("sendMessage", chat_id=other.user_id, text="x")
        await trio.sleep(1)
        await out.result("editMessageText", **edit)
        assert (await out.refusal("sendMessage", **chat))[0] == 429


async def test_all_chats_together_take_thirty_a_second(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        users = [out.started_user() for _ in range(31)]
        for user in users[:30]:
            await out.result("sendMessage", chat_id=user.user_id, text="x")
        refusal = await out.refusal("sendMessage", chat_id=users[30].user_id, text="x")
        assert refusal == (429, "Too Many Requests: retry after 1")


async def test_a_webhook_must_be_one_telegram_would_take(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        for url, secret, description in (
            ("http://bot.test/x", SECRET, "bad webhook: An HTTPS URL must be provided for webhook"),
            (
                "https://bot.test:8080/x",
                SECRET,
                "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443",
            ),
            ("ftp://bot.test", SECRET, "invalid webhook URL specified"),
            ("https://bot.test/x", "a b", "secret token contains unallowed characters"),
            ("https://bot.test/x", "a" * 257, "secret token is too long"),
        ):
            refusal = await out.refusal("setWebhook", url=url, secret_token=secret)
            assert refusal == (400, f"Bad Request: {description}")
            await trio.sleep(1)
        first = await out.call("setWebhook", url="http://127.0.0.1:8081/x")
        assert first.json()["description"] == "Webhook was set"
        assert (await out.refusal("setWebhook", url="http://127.0.0.1:8081/x"))[0] == 429
        await trio.sleep(1)
        again = await out.call("setWebhook", url="http://127.0.0.1:8081/x")
        assert again.json()["description"] == "Webhook is already set"
        await trio.sleep(1)
        await out.refusal("setWebhook", url="http://bot.test/x")
        assert (await out.result("getWebhookInfo"))["url"] == ""
        gone = await out.call("deleteWebhook")
        assert gone.json()["description"] == "Webhook is already deleted"


async def test_commands_are_kept_per_language(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        commands = [{"command": "start", "description": "Начать"}]
        await out.result("setMyCommands", commands=commands, language_code="ru")
        assert await out.result("getMyCommands", language_code="ru") == commands
        assert await out.result("getMyCommands") == []
        assert (await out.refusal("setMyCommands", commands=["start"]))[0] == 400
