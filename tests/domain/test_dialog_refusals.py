"""What the dialog refuses, and how it says so."""

import pytest
from attrs import evolve

from tests.domain.talk import Talk, draft_id, labels, ready, reason, screens, shown, started, toast
from trt.domain.dialog import Accepted, Rejected
from trt.domain.inputs import CommandSent, MediaSent, TextSent, UserEvent
from trt.domain.model_card import Catalogue
from trt.domain.reasons import Reason
from trt.domain.replies import ScreenId

# Refusals.


def test_a_second_confirm_starts_nothing_and_says_so() -> None:
    talk = ready()
    confirm = f"confirm:{draft_id(talk)}"
    assert started(talk.tap(confirm))
    turn = talk.tap(confirm)
    assert not started(turn)
    assert not screens(turn)
    assert toast(turn) == "Этот заказ уже запущен"
    assert turn.outcome == Accepted("confirm_cb", Reason.NOOP)


def test_another_drafts_button_is_outdated_and_the_open_order_stays() -> None:
    talk = ready()
    before = talk.session
    for data in ("confirm:ffffffff", "set:ffffffff:resolution:4K", "cancel:ffffffff"):
        turn = talk.tap(data)
        assert toast(turn) == "Кнопка устарела"
        assert reason(turn) is Reason.STATE_MISMATCH
        assert talk.session == before


def test_a_form_shown_again_outdates_the_buttons_of_the_old_message() -> None:
    talk = ready()
    old = draft_id(talk)
    talk.say("by mistake")
    assert draft_id(talk) != old
    assert reason(talk.tap(f"set:{old}:resolution:4K")) is Reason.STATE_MISMATCH


def test_a_price_that_changed_since_it_was_shown_is_shown_first() -> None:
    talk = ready()
    turn = talk.tap(f"confirm:{draft_id(talk)}:1403")
    assert not started(turn)
    assert reason(turn) is Reason.STATE_MISMATCH
    assert "14,04 ₽" in shown(turn).text
    assert started(talk.press("confirm:"))


def test_an_unknown_button_is_answered_with_the_menu() -> None:
    turn = Talk().tap("no such thing")
    assert toast(turn) == "Кнопка устарела"
    assert shown(turn).screen_id is ScreenId.MAIN_MENU
    assert turn.outcome == Rejected(Reason.UNKNOWN_CALLBACK, "unknown_cb")


def test_too_little_money_is_said_before_and_refused_at_the_tap() -> None:
    talk = ready(balance_kopecks=1000)
    assert "хватает: <b>4,04 ₽</b>" in shown(talk.turns[-1]).text
    turn = talk.press("confirm:")
    assert not started(turn)
    assert reason(turn) is Reason.BALANCE_INSUFFICIENT
    for words in ("14,04 ₽", "10 ₽", "4,04 ₽"):
        assert words in shown(turn).text
    assert shown(talk.press("keep:")).screen_id is ScreenId.CONFIRM


def test_money_to_the_last_kopeck_is_enough() -> None:
    assert started(ready(balance_kopecks=1404).press("confirm:"))
    assert not started(ready(balance_kopecks=1403).press("confirm:"))


def test_too_many_running_jobs_are_refused_with_their_number() -> None:
    talk = ready()
    talk.situation = evolve(talk.situation, active_jobs=3)
    turn = talk.press("confirm:")
    assert not started(turn)
    assert "3 заказа" in toast(turn)
    assert reason(turn) is Reason.RATE_LIMIT
    talk.situation = evolve(talk.situation, active_jobs=2)
    assert started(talk.press("confirm:"))


@pytest.mark.parametrize("data", ["model:none", "make:none"])
def test_an_unknown_model_is_refused_kindly(data: str) -> None:
    turn = Talk().tap(data)
    assert reason(turn) is Reason.MODEL_DISABLED
    assert "не работает" in shown(turn).text


def test_a_model_switched_off_under_an_open_order_is_refused() -> None:
    talk = ready()
    off = {m: evolve(c, is_enabled=False) for m, c in talk.situation.catalogue.models.items()}
    talk.situation = evolve(talk.situation, catalogue=Catalogue(off))
    turn = talk.press("confirm:")
    assert reason(turn) is Reason.MODEL_DISABLED
    assert turn.session.draft is None


def test_a_long_text_is_refused_with_field_limit_and_length_but_not_repeated() -> None:
    talk = Talk()
    talk.tap("make:z-image")
    turn = talk.say("secret" * 200)
    assert reason(turn) is Reason.VALIDATION_FAIL
    for words in ("Описание", "1200", "1000"):
        assert words in shown(turn).text
    assert "secret" not in shown(turn).text
    assert shown(talk.say("short")).screen_id is ScreenId.PARAMS_FORM
    assert talk.session.draft is not None
    assert talk.session.draft.asking == "aspect_ratio"


def test_text_where_a_button_is_wanted_asks_again() -> None:
    talk = Talk()
    talk.tap("make:z-image")
    talk.say("a cat")
    turn = talk.say("16:9")
    assert reason(turn) is Reason.VALIDATION_FAIL
    assert "16:9" in labels(turn)
    assert talk.session.draft is not None
    assert talk.session.draft.values == {"prompt": "a cat"}


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (TextSent(text="hello"), Reason.STATE_MISMATCH),
        (MediaSent(kind="photo"), Reason.UNSUPPORTED_UPDATE),
        (CommandSent(command="frobnicate", argument=""), Reason.UNSUPPORTED_UPDATE),
    ],
)
def test_stray_input_is_answered_and_loses_no_order(event: UserEvent, why: Reason) -> None:
    turn = Talk().do(event)
    assert reason(turn) is why
    assert shown(turn).screen_id is ScreenId.MAIN_MENU
    if not isinstance(event, TextSent):
        talk = ready()
        assert shown(talk.do(event)).screen_id is ScreenId.CONFIRM
