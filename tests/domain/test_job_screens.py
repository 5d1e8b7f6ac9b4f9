"""What a job says: true sums, the right buttons, places and times; no provider's name."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from tests.domain.talk import catalogue
from trt.catalog.copy_loader import load_copies
from trt.domain import job_screens
from trt.domain.copy import Copy
from trt.domain.ids import ChatId, Cid, DraftId, JobId, ModelId, UserId
from trt.domain.job import MAY_COME_LATE, Job, JobState, Phase
from trt.domain.job_screens import OwnJob
from trt.domain.job_timing import Forecast
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
    deadline_at=NOW + timedelta(seconds=300),
)
REST = ["jobs", "main_menu"]
DONE = evolve(
    JOB, state=JobState.DELIVERED, result_urls=("https://a/1",), ready_at=NOW, ended_at=NOW
)
EVERY_STATE = [
    evolve(JOB, state=state, submitted_at=NOW, result_urls=urls, ready_at=NOW, reason=reason)
    for state in JobState
    for urls in ((), ("https://a/1",))
    for reason in ((None,) if state is not JobState.FAILED else Reason)
]


def data_of(keyboard: Keyboard) -> list[str]:
    return [button.data for row in keyboard for button in row]


def listed(*own: OwnJob, at: datetime = NOW) -> Screen:
    return job_screens.own_jobs(own, catalogue(), RU, at)


def every_screen(copy: Copy) -> list[Screen]:
    own = [OwnJob(job=job, place=3) for job in EVERY_STATE]
    forecast = Forecast(usual_s=10, long_s=200)
    return [
        job_screens.accepted(JOB, None, copy),
        job_screens.in_line(JOB, None, copy, 7),
        *(job_screens.working(JOB, None, copy, phase) for phase in Phase),
        job_screens.working(JOB, None, copy, Phase.GENERATING, forecast),
        job_screens.done(JOB, None, copy),
        job_screens.done(JOB, None, copy, is_whole=False),
        job_screens.undelivered(DONE, None, copy),
        job_screens.undelivered(DONE, None, copy, is_part_sent=True),
        *(job_screens.failed(JOB, None, copy, reason, 5000) for reason in Reason),
        job_screens.failed(JOB, None, copy, Reason.DELIVERY_FAILED, 5000, is_part_sent=True),
        *(job_screens.own_jobs([one], catalogue(), copy, NOW) for one in own),
        job_screens.own_jobs(own, catalogue(), copy, NOW),
        job_screens.own_jobs([], catalogue(), copy, NOW),
    ]


def test_a_failure_names_the_money_returned_and_the_new_balance() -> None:
    screen = job_screens.failed(JOB, None, RU, Reason.DEADLINE, 5000)
    assert screen.screen_id is ScreenId.FAILURE
    assert "14,04 ₽" in screen.text
    assert "50 ₽" in screen.text
    assert data_of(screen.keyboard) == [f"repeat:{'a' * 32}", "main_menu:new"]


def test_reasons_that_need_other_advice_say_other_things() -> None:
    keys = job_screens.FAILURE_KEYS
    texts = {job_screens.failed(JOB, None, RU, reason, 0).text for reason in keys}
    assert len(texts) == len(keys)


@pytest.mark.parametrize("reason", Reason)
def test_only_who_may_get_a_late_result_is_told_of_it(reason: Reason) -> None:
    text = job_screens.failed(JOB, None, RU, reason, 0).text
    assert ("отдадим его бесплатно" in text) is (reason in MAY_COME_LATE)


def test_a_job_reports_each_stage_on_its_status_message() -> None:
    assert "14,04 ₽" in job_screens.accepted(JOB, None, RU).text
    assert "место 7" in job_screens.in_line(JOB, None, RU, 7).text
    queued = job_screens.working(JOB, None, RU, Phase.QUEUED)
    generating = job_screens.working(JOB, None, RU, Phase.GENERATING)
    assert queued.text != generating.text
    assert queued.screen_id is generating.screen_id is ScreenId.PROCESSING
    assert job_screens.done(JOB, None, RU).screen_id is ScreenId.RESULT


def test_an_order_can_be_cancelled_as_long_as_only_we_have_it() -> None:
    for screen in (job_screens.accepted(JOB, None, RU), job_screens.in_line(JOB, None, RU, 2)):
        assert data_of(screen.keyboard) == [f"takeback:{'a' * 32}"]
    assert job_screens.working(JOB, None, RU, Phase.QUEUED).keyboard == ()


def test_how_long_it_takes_is_what_was_measured_lately() -> None:
    card = catalogue().models[JOB.model_id]
    measured = Forecast(usual_s=33, long_s=240)
    text = job_screens.working(JOB, card, RU, Phase.QUEUED, measured).text
    assert "33 секунды, реже до 4 минуты" in text
    assert "15 секунд" in job_screens.working(JOB, card, RU, Phase.QUEUED).text


def test_a_result_can_be_repeated_and_has_words_for_a_link() -> None:
    [result] = job_screens.results(DONE, None, RU)
    assert len(result.caption) <= 1024
    assert result.link_words
    assert data_of(result.keyboard)[0] == f"repeat:{'a' * 32}"


def test_more_files_than_an_album_holds_go_in_several_messages() -> None:
    urls = tuple(f"https://a/{number}" for number in range(23))
    results = job_screens.results(evolve(DONE, result_urls=urls), None, RU)
    assert [len(result.urls) for result in results] == [10, 10, 3]
    assert sum((result.urls for result in results), ()) == urls


def test_a_late_result_says_that_it_is_free() -> None:
    [late] = job_screens.results(evolve(DONE, state=JobState.FAILED), None, RU)
    [usual] = job_screens.results(DONE, None, RU)
    assert "бесплатный" in late.caption
    assert "бесплатный" not in usual.caption


@pytest.mark.parametrize("state", [JobState.DELIVERING, JobState.DELIVERED, JobState.FAILED])
def test_only_held_money_is_said_to_come_back(state: JobState) -> None:
    offer = job_screens.undelivered(evolve(DONE, state=state), None, RU)
    assert ("вернутся сами" in offer.text) is (state is JobState.DELIVERING)
    assert data_of(offer.keyboard) == [f"result:{'a' * 32}"]


def test_an_album_has_its_buttons_below_the_status() -> None:
    assert job_screens.done(DONE, None, RU).keyboard == ()
    several = evolve(DONE, result_urls=("https://a/1", "https://a/2"))
    assert data_of(job_screens.done(several, None, RU).keyboard)[0].startswith("repeat:")


def test_the_list_shows_the_place_and_the_time_that_is_left() -> None:
    assert "в очереди, место 4" in listed(OwnJob(job=JOB, place=4)).text
    running = evolve(JOB, state=JobState.RUNNING, submitted_at=NOW)
    forecast = Forecast(usual_s=30, long_s=90)
    for age_s, words in [(10, "20 секунд"), (40, "50 секунд"), (100, "дольше обычного")]:
        at = NOW + timedelta(seconds=age_s)
        assert words in listed(OwnJob(job=running, forecast=forecast), at=at).text
    assert "15 секунд" in listed(OwnJob(job=running)).text  # the card's, until jobs were measured


@pytest.mark.parametrize(
    ("job", "offered"),
    [
        (JOB, ["takeback"]),
        (evolve(JOB, state=JobState.SUBMITTING), []),
        (evolve(JOB, state=JobState.RUNNING), []),
        (evolve(DONE, state=JobState.DELIVERING), ["result"]),
        (DONE, ["result", "repeat"]),
        (evolve(DONE, ready_at=NOW - timedelta(hours=24)), ["repeat"]),
        (evolve(JOB, state=JobState.FAILED), ["repeat"]),
        (evolve(DONE, state=JobState.FAILED), ["result", "repeat"]),
    ],
)
def test_the_list_offers_what_can_be_done_about_a_job(job: Job, offered: list[str]) -> None:
    data = data_of(listed(OwnJob(job=job)).keyboard)
    expected = [f"{what}:{job.job_id}" for what in offered]
    assert data == [*(f"{one}:list" if "takeback" in one else one for one in expected), *REST]


def test_an_empty_list_says_so() -> None:
    assert "Заказов пока не было" in listed().text
    assert data_of(listed().keyboard) == ["main_menu"]


@pytest.mark.parametrize("language", ["ru", "en"])
def test_no_screen_names_the_provider_or_the_prompt(language: str) -> None:
    for screen in every_screen(COPIES.of(language)):
        assert "kie" not in screen.text.lower()
        assert "secret" not in screen.text
        assert len(screen.text) < 4096
        assert len(data_of(screen.keyboard)) < 100
