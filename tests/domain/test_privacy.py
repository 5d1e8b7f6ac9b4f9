"""What the dialog says and does about what the bot knows of a user."""

import pytest
from attrs import evolve

from tests.domain.talk import NOW, Talk, labels, ready, reason, shown, toast
from trt.domain import dialog
from trt.domain.callback_data import Forget, dump, parse
from trt.domain.ids import CallbackId, ChatId, Cid, DraftId, JobId, ModelId, UserId
from trt.domain.inputs import ButtonTapped
from trt.domain.job import Job, JobState
from trt.domain.job_screens import OwnJob
from trt.domain.reasons import Reason
from trt.domain.replies import ScreenId
from trt.domain.turn import Erase, Turn


def erases(turn: Turn) -> bool:
    return any(isinstance(effect, Erase) for effect in turn.effects)


def with_job(talk: Talk, state: JobState) -> Talk:
    job = Job(
        job_id=JobId("0" * 32),
        user_id=UserId(1),
        chat_id=ChatId(1),
        draft_id=DraftId("0badcafe"),
        model_id=ModelId("z-image"),
        params={"prompt": "кот"},
        price_kopecks=63,
        language="ru",
        cid=Cid("0badcafe"),
        created_at=NOW,
        deadline_at=NOW,
        state=state,
    )
    own = (OwnJob(job=job, place=None, forecast=None),)
    talk.situation = evolve(talk.situation, own_jobs=own)
    return talk


def test_the_notice_offers_what_it_promises() -> None:
    for language, label in (("ru", "🗑 Удалить мои данные"), ("en", "🗑 Delete my data")):
        talk = Talk(language_code=language)
        turn = talk.command("privacy")
        assert shown(turn).screen_id is ScreenId.LEGAL
        assert labels(turn)[0] == label
        assert label.removeprefix("🗑 ") in shown(turn).text


def test_nothing_is_deleted_before_it_is_confirmed() -> None:
    talk = ready()
    talk.command("privacy")
    asked = talk.press("forget")
    assert not erases(asked)
    assert "Удалить ваши данные?" in shown(asked).text
    assert talk.session.draft is not None
    done = talk.press("forget:yes")
    assert erases(done)
    assert "Данные удалены" in shown(done).text
    assert talk.session == dialog.greet(talk.person)  # nothing but who it is and what they speak


def test_a_second_confirmation_is_no_error() -> None:
    talk = Talk()
    assert erases(talk.tap("forget:yes"))
    assert erases(talk.tap("forget:yes"))
    assert reason(talk.turns[-1]) is Reason.SUCCESS


@pytest.mark.parametrize("state", list(JobState))
@pytest.mark.parametrize("data", ["forget", "forget:yes"])
def test_while_an_order_is_under_way_nothing_is_deleted(data: str, state: JobState) -> None:
    talk = with_job(ready(), state)
    turn = talk.tap(data)
    if state.is_final:
        assert reason(turn) is Reason.SUCCESS
        assert erases(turn) == (data == "forget:yes")
        return
    assert not erases(turn)
    assert reason(turn) is Reason.STATE_MISMATCH
    assert "Ещё идёт заказ" in shown(turn).text
    assert toast(turn) == "Сначала дождёмся заказа"
    assert talk.session.draft is not None


def test_the_jobs_are_looked_at_for_it() -> None:
    for tap in (Forget(), Forget(is_confirmed=True)):
        event = ButtonTapped(callback_id=CallbackId("c"), data=dump(tap), message_id=None)
        assert parse(event.data) == tap
        assert dialog.wants_jobs(event)
