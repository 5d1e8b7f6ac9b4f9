"""What a job and the passive branch say: true sums, the right buttons, no provider's name."""

from datetime import UTC, datetime

import pytest

from trt.catalog.copy_loader import load_copies
from trt.domain import form_screens, screens
from trt.domain.copy import Copy
from trt.domain.ids import ChatId, Cid, DraftId, JobId, ModelId, UserId
from trt.domain.job import Job, Phase
from trt.domain.reasons import Reason
from trt.domain.replies import Keyboard, Screen, ScreenId

COPIES = load_copies()
RU = COPIES.of("ru")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
JOB = Job(
    job_id=JobId("a" * 32),
    user_id=UserId(1),
    chat_id=ChatId(1),
    draft_id=DraftId("00000001"),
    model_id=ModelId("z-image"),
    params={"prompt": "secret wish"},
    price_kopecks=1404,
    language="ru",
    cid=Cid("00000001"),
    created_at=NOW,
    deadline_at=NOW,
)


def data_of(keyboard: Keyboard) -> list[str]:
    return [button.data for row in keyboard for button in row]


def every_screen(copy: Copy) -> list[Screen]:
    return [
        screens.accepted(JOB, None, copy),
        *(screens.working(JOB, None, copy, phase) for phase in Phase),
        screens.done(JOB, None, copy),
        *(screens.failed(JOB, None, copy, reason, 5000) for reason in Reason),
        screens.passive_notice(copy),
        screens.crashed_notice(copy),
        screens.too_busy_notice(copy),
    ]


def test_a_failure_names_the_money_returned_and_the_new_balance() -> None:
    screen = screens.failed(JOB, None, RU, Reason.DEADLINE, 5000)
    assert screen.screen_id is ScreenId.FAILURE
    assert "14,04 ₽" in screen.text
    assert "50 ₽" in screen.text
    assert data_of(screen.keyboard) == [f"repeat:{'a' * 32}", "main_menu:new"]


def test_reasons_that_need_other_advice_say_other_things() -> None:
    texts = {screens.failed(JOB, None, RU, reason, 0).text for reason in screens.FAILURE_KEYS}
    assert len(texts) == len(screens.FAILURE_KEYS)


def test_a_job_reports_each_stage_on_its_status_message() -> None:
    assert "14,04 ₽" in screens.accepted(JOB, None, RU).text
    queued = screens.working(JOB, None, RU, Phase.QUEUED)
    generating = screens.working(JOB, None, RU, Phase.GENERATING)
    assert queued.text != generating.text
    assert queued.screen_id is generating.screen_id is ScreenId.PROCESSING
    assert screens.done(JOB, None, RU).screen_id is ScreenId.RESULT


def test_a_result_can_be_repeated() -> None:
    assert len(screens.result_caption(JOB, None, RU)) <= 1024
    assert data_of(screens.result_keyboard(JOB, RU))[0] == f"repeat:{'a' * 32}"


@pytest.mark.parametrize("language", ["ru", "en"])
def test_no_screen_names_the_provider_or_the_prompt(language: str) -> None:
    for screen in every_screen(COPIES.of(language)):
        assert "kie" not in screen.text.lower()
        assert "secret" not in screen.text


@pytest.mark.parametrize("language", ["ru", "en"])
def test_toasts_are_short_enough(language: str) -> None:
    copy = COPIES.of(language)
    toasts = [f(copy) for f in (screens.passive_toast, screens.too_busy_toast)]
    assert all(1 <= len(toast) <= 200 for toast in [*toasts, screens.crashed_toast(copy)])


@pytest.mark.parametrize(
    ("text", "kept"),
    [("abcd", "abcd"), ("abcde", "abc…"), ("🦊🦊", "🦊🦊"), ("🦊🦊🦊", "🦊…")],
)
def test_an_excerpt_counts_as_telegram_counts(text: str, kept: str) -> None:
    assert form_screens.excerpt(text, 4) == kept
