"""Looking at the own jobs, cancelling one, fetching a result: what the dialog decides."""

import pytest
from attrs import evolve

from tests.domain import talk as t
from tests.domain.talk import Talk
from tests.domain.test_job_screens import DONE, JOB, NOW
from trt.domain import dialog
from trt.domain.ids import CallbackId
from trt.domain.inputs import ButtonTapped, CommandSent
from trt.domain.job import Job, JobState
from trt.domain.job_screens import OwnJob
from trt.domain.reasons import Reason
from trt.domain.replies import ScreenId, SendResult, ShowScreen
from trt.domain.turn import EndJob, Turn


def ended(turn: Turn) -> list[Job]:
    return [effect.job for effect in turn.effects if isinstance(effect, EndJob)]


def sent(turn: Turn) -> list[SendResult]:
    return [effect for effect in turn.effects if isinstance(effect, SendResult)]


def about(job: Job | None, *, is_on_its_way: bool = False) -> Talk:
    talk = Talk()
    talk.situation = evolve(
        talk.situation,
        now=NOW,
        past_job=job,
        is_result_on_its_way=is_on_its_way,
        own_jobs=() if job is None else (OwnJob(job=job),),
    )
    return talk


@pytest.mark.parametrize("prefix", ["takeback", "result", "repeat"])
def test_the_job_of_a_button_is_asked_for(prefix: str) -> None:
    data = f"{prefix}:{JOB.job_id}"
    event = ButtonTapped(callback_id=CallbackId("c"), data=data, message_id=None)
    assert dialog.job_named(event) == JOB.job_id


def test_the_list_is_read_only_for_who_looks_at_it() -> None:
    def tapped(data: str) -> ButtonTapped:
        return ButtonTapped(callback_id=CallbackId("c"), data=data, message_id=None)

    assert dialog.wants_jobs(CommandSent(command="Jobs", argument=""))
    assert dialog.wants_jobs(tapped("jobs"))
    assert dialog.wants_jobs(tapped(f"takeback:{JOB.job_id}"))
    assert not dialog.wants_jobs(tapped(f"result:{JOB.job_id}"))
    assert not dialog.wants_jobs(CommandSent(command="menu", argument=""))


def test_the_menu_and_the_command_lead_to_the_list() -> None:
    talk = about(JOB)
    for turn in (talk.command("jobs"), talk.tap("jobs")):
        assert t.shown(turn).screen_id is ScreenId.JOBS
        assert "Z-Image" in t.shown(turn).text
    assert "📋 Мои задачи" in t.labels(talk.command("menu"))


def test_an_order_that_the_vendor_does_not_have_is_cancelled() -> None:
    turn = about(JOB).tap(f"takeback:{JOB.job_id}")
    assert [job.job_id for job in ended(turn)] == [JOB.job_id]
    assert t.screens(turn) == []  # its status message, where it was tapped, says so
    assert t.reason(turn) is Reason.SUCCESS
    assert t.toast(turn) == "Заказ отменён, деньги вернули"


def test_a_cancel_on_the_list_takes_the_job_off_it() -> None:
    turn = about(JOB).tap(f"takeback:{JOB.job_id}:list")
    assert len(ended(turn)) == 1
    assert "Заказов пока не было" in t.shown(turn).text


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.RESERVED])
def test_what_the_vendor_has_cannot_be_cancelled_and_that_is_said(state: JobState) -> None:
    turn = about(evolve(JOB, state=state)).tap(f"takeback:{JOB.job_id}")
    assert ended(turn) == []
    assert t.reason(turn) is Reason.STATE_MISMATCH
    is_running = state in {JobState.SUBMITTING, JobState.SUBMIT_UNKNOWN, JobState.RUNNING}
    assert ("отменить его нельзя" in t.toast(turn)) is is_running


@pytest.mark.parametrize("state", [JobState.DELIVERING, JobState.DELIVERED, JobState.FAILED])
def test_a_result_is_sent_again_while_it_lives(state: JobState) -> None:
    turn = about(evolve(DONE, state=state)).tap(f"result:{JOB.job_id}")
    [result] = sent(turn)
    assert result.urls == DONE.result_urls
    assert t.reason(turn) is Reason.SUCCESS


def test_a_result_on_its_way_is_not_sent_twice() -> None:
    turn = about(DONE, is_on_its_way=True).tap(f"result:{JOB.job_id}")
    assert sent(turn) == []
    assert t.reason(turn) is Reason.NOOP


@pytest.mark.parametrize("job", [JOB, evolve(DONE, ready_at=NOW.replace(year=2025))])
def test_a_result_that_is_not_there_is_not_sent(job: Job) -> None:
    turn = about(job).tap(f"result:{JOB.job_id}")
    assert sent(turn) == []
    assert t.reason(turn) is Reason.STATE_MISMATCH


@pytest.mark.parametrize("data", [f"takeback:{JOB.job_id}", f"result:{JOB.job_id}"])
def test_somebody_elses_job_is_nobodys(data: str) -> None:
    turn = about(None).tap(data)
    assert [effect for effect in turn.effects if isinstance(effect, EndJob | SendResult)] == []
    assert any(isinstance(effect, ShowScreen) for effect in turn.effects)
    assert t.reason(turn) is Reason.STATE_MISMATCH
