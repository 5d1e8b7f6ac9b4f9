"""The conversation, told as what a user does and sees."""

import pytest
from attrs import evolve

from tests.domain.talk import (
    MESSAGE,
    Talk,
    draft_id,
    labels,
    left_behind,
    ready,
    reason,
    screens,
    shown,
    started,
)
from trt.domain import dialog
from trt.domain.callback_data import DraftTap, parse
from trt.domain.dialog import Accepted, StartJob
from trt.domain.ids import CallbackId, ChatId, Cid, DraftId, JobId, ModelId, UserId
from trt.domain.inputs import ButtonTapped, TextSent
from trt.domain.job import Job
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback, ScreenId
from trt.sources import SystemSources

# The straight way.


def test_start_greets_by_name_and_offers_only_shelves_with_models() -> None:
    turn = Talk().command("start")
    assert "A&lt;b&gt;nna" in shown(turn).text
    assert labels(turn)[:2] == ["🎨 Картинки", "🎬 Видео"]
    assert "cat:audio" not in str(turn)
    assert screens(turn)[0].edit_message_id is None


def test_a_video_is_ordered_from_the_menu_to_the_start() -> None:
    talk = Talk()
    talk.command("start")
    assert labels(talk.press("cat:video"))[0] == "Kling 2.6 · от 42,90 ₽"
    assert "3 минуты" in shown(talk.press("model:")).text
    assert shown(talk.press("make:")).screen_id is ScreenId.PARAMS_FORM
    ratio = talk.say("a lake at dawn")
    assert labels(ratio)[:3] == ["✓ 1:1", "16:9", "9:16"]
    duration = talk.press(f"set:{draft_id(talk)}:aspect_ratio:16:9")
    assert screens(duration)[0].edit_message_id == MESSAGE
    assert labels(duration)[:2] == ["✓ 5 секунд · от 42,90 ₽", "10 секунд · от 85,80 ₽"]
    assert labels(talk.press(f"set:{draft_id(talk)}:duration:10"))[1].endswith("171,60 ₽")
    order = shown(talk.press(f"set:{draft_id(talk)}:sound:true"))
    assert order.screen_id is ScreenId.CONFIRM
    for words in ("Проверьте заказ", "a lake at dawn", "171,60 ₽", "828,40 ₽", "только за дост"):
        assert words in order.text
    given = draft_id(talk)
    turn = talk.press("confirm:")
    assert started(turn) == [
        StartJob(
            draft_id=given,
            model_id=ModelId("kling-2.6/text-to-video"),
            params={
                "prompt": "a lake at dawn",
                "aspect_ratio": "16:9",
                "duration": "10",
                "sound": True,
            },
            price_kopecks=17160,
            deadline_s=1200,
            status_message_id=MESSAGE,
        )
    ]
    assert isinstance(turn.effects[0], AnswerCallback)
    assert turn.session.draft is None
    assert turn.outcome == Accepted("confirm_cb")


def test_text_on_a_card_is_already_the_first_answer() -> None:
    talk = Talk()
    talk.tap("model:nano-banana-pro")
    assert shown(talk.say("a cat")).screen_id is ScreenId.CONFIRM


def test_the_example_can_be_ordered_without_typing() -> None:
    talk = Talk()
    talk.tap("make:nano-banana-pro")
    assert "«ДЖАЗ" in shown(talk.press("example:")).text


def test_an_option_changes_the_price_that_is_shown_and_paid() -> None:
    talk = ready()
    assert "⚙️ Разрешение: 1K" in labels(talk.turns[-1])
    assert "4K · 18,72 ₽" in labels(talk.press(f"edit:{draft_id(talk)}:resolution"))
    assert "18,72 ₽" in shown(talk.press(f"set:{draft_id(talk)}:resolution:4K")).text
    assert started(talk.press("confirm:"))[0].price_kopecks == 1872


# Looking back.


def test_back_goes_one_step_at_a_time_and_keeps_the_answers() -> None:
    talk = ready()
    question = talk.press("back:")
    assert "a cat" in shown(question).text
    assert shown(talk.press("keep:")).screen_id is ScreenId.CONFIRM
    talk.press("back:")
    assert shown(talk.press("back:")).screen_id is ScreenId.MODEL_CARD
    assert shown(talk.tap("back")).screen_id is ScreenId.CATEGORY_PICK
    assert shown(talk.tap("back")).screen_id is ScreenId.MAIN_MENU


def test_back_from_an_option_returns_to_the_order() -> None:
    talk = ready()
    talk.press(f"edit:{draft_id(talk)}:aspect_ratio")
    assert shown(talk.press("back:")).screen_id is ScreenId.CONFIRM


@pytest.mark.parametrize("how", ["button", "seed", "command"])
def test_cancel_forgets_the_order(how: str) -> None:
    talk = ready()
    old = draft_id(talk)
    match how:
        case "button":
            turn = talk.press("cancel:")
        case "seed":
            turn = talk.tap("cancel")
        case _:
            turn = talk.command("cancel")
    assert shown(turn).screen_id is ScreenId.MAIN_MENU
    assert turn.session.draft is None
    assert reason(talk.tap(f"confirm:{old}")) is Reason.STATE_MISMATCH


# Repeat and language.


def past_job() -> Job:
    now = SystemSources().now()
    return Job(
        job_id=JobId("0" * 32),
        user_id=UserId(1),
        chat_id=ChatId(1),
        draft_id=DraftId("00000009"),
        model_id=ModelId("nano-banana-pro"),
        params={"prompt": "a dog", "resolution": "4K", "gone": "x"},
        price_kopecks=1,
        language="ru",
        cid=Cid("00000000"),
        created_at=now,
        deadline_at=now,
    )


def test_repeat_offers_the_same_order_at_todays_price_in_a_new_message() -> None:
    talk = Talk()
    data = f"repeat:{'0' * 32}"
    event = ButtonTapped(callback_id=CallbackId("c"), data=data, message_id=MESSAGE)
    assert dialog.job_named(event) == "0" * 32
    assert dialog.job_named(TextSent(text=data)) is None
    talk.situation = evolve(talk.situation, past_job=past_job())
    turn = talk.do(event)
    assert shown(turn).screen_id is ScreenId.CONFIRM
    assert "a dog" in shown(turn).text
    assert turn.session.draft is not None
    assert turn.session.draft.values == {"prompt": "a dog", "resolution": "4K"}
    assert screens(turn)[0].edit_message_id is None
    [start] = started(talk.press("confirm:"))
    assert start.price_kopecks == 1872
    assert "gone" not in start.params
    assert start.draft_id != past_job().draft_id


def test_repeat_of_somebody_elses_job_is_refused() -> None:
    turn = Talk().tap(f"repeat:{'0' * 32}")
    assert reason(turn) is Reason.STATE_MISMATCH
    assert turn.session.draft is None


def test_english_profiles_are_greeted_in_english_and_can_switch() -> None:
    talk = Talk(language_code="en-US")
    assert "Hi A&lt;b&gt;nna" in shown(talk.command("start")).text
    assert labels(talk.command("language"))[:2] == ["Русский", "English"]
    assert "Что создаём?" in shown(talk.press("lang:ru")).text
    assert talk.session.language == "ru"


def test_switching_the_language_keeps_the_order() -> None:
    talk = ready()
    talk.tap("language")
    turn = talk.press("lang:en")
    assert "Check your order" in shown(turn).text
    assert started(talk.press("confirm:"))


def test_home_below_a_result_leaves_the_result_alone() -> None:
    talk = Talk()
    assert screens(talk.tap("main_menu:new"))[0].edit_message_id is None
    assert screens(talk.tap("main_menu"))[0].edit_message_id == MESSAGE


def test_the_balance_names_the_reserve() -> None:
    talk = Talk(balance_kopecks=5000)
    assert "резерве" not in shown(talk.command("balance")).text
    talk.situation = evolve(talk.situation, reserved_kopecks=1404)
    text = shown(talk.tap("balance")).text
    assert "50 ₽" in text
    assert "14,04 ₽" in text


def test_every_button_of_a_form_names_its_draft() -> None:
    talk = ready()
    for row in shown(talk.turns[-1]).keyboard:
        for button in row:
            data = parse(button.data)
            assert isinstance(data, DraftTap)
            assert data.draft_id == draft_id(talk)


def test_a_question_that_was_answered_by_text_loses_its_buttons() -> None:
    talk = Talk()
    talk.tap("model:z-image")
    question = talk.press("make:")
    [bare] = left_behind(talk.say("a fox"))
    assert bare.edit_message_id == MESSAGE
    assert bare.screen.text == shown(question).text
    assert bare.screen.keyboard == ()


def test_a_message_that_nobody_tapped_yet_is_left_as_it_is() -> None:
    talk = Talk()
    talk.tap("model:z-image")
    talk.press("make:")
    talk.say("a fox")
    assert not left_behind(talk.say("not a format"))
