"""Jobs move between their states one legal step at a time."""

import pytest
from attrs import evolve

from tests.storage.samples import EPOCH, SHARD, USER, job, later
from trt.domain.ids import JobId, MessageId, Shard, TaskId, UserId
from trt.domain.job import Job, JobState
from trt.domain.reasons import Reason
from trt.storage import jobs, kie_callbacks
from trt.storage.database import Transaction

FULL = evolve(
    job(1),
    state=JobState.FAILED,
    attempt=3,
    task_id=TaskId("task"),
    submitted_at=later(9),
    status_message_id=MessageId(5),
    reason=Reason.KIE_FAILED,
    result_urls=("https://a/1.png", "https://a/2.png"),
)


@pytest.mark.parametrize("sample", [job(1), FULL])
def test_a_job_comes_back_as_it_went_in(tx: Transaction, sample: Job) -> None:
    assert jobs.insert(tx, sample, shard=SHARD, epoch=EPOCH)
    assert jobs.get(tx, sample.job_id) == sample
    assert jobs.get(tx, JobId("other")) is None


def test_a_draft_becomes_a_job_once(tx: Transaction) -> None:
    assert jobs.insert(tx, job(1), shard=SHARD, epoch=EPOCH)
    again = evolve(job(2), draft_id=job(1).draft_id)
    assert not jobs.insert(tx, again, shard=SHARD, epoch=EPOCH)
    assert jobs.get(tx, again.job_id) is None
    of_another = evolve(again, user_id=UserId(2))
    assert jobs.insert(tx, of_another, shard=SHARD, epoch=EPOCH)


def test_a_job_is_shown_only_to_its_owner(tx: Transaction) -> None:
    jobs.insert(tx, job(1), shard=SHARD, epoch=EPOCH)
    assert jobs.of_user(tx, USER, job(1).job_id) == job(1)
    assert jobs.of_user(tx, UserId(2), job(1).job_id) is None
    assert jobs.of_user(tx, USER, JobId("other")) is None


def test_a_move_sets_what_it_names_and_keeps_the_rest(tx: Transaction) -> None:
    jobs.insert(tx, job(1), shard=SHARD, epoch=EPOCH)
    submitting = jobs.move(
        tx,
        job(1),
        JobState.SUBMITTING,
        epoch=EPOCH,
        now=later(1),
        attempt=1,
        status_message_id=MessageId(8),
    )
    assert submitting == evolve(
        job(1), state=JobState.SUBMITTING, attempt=1, status_message_id=MessageId(8)
    )
    running = jobs.move(
        tx,
        submitting,
        JobState.RUNNING,
        epoch=EPOCH,
        now=later(2),
        task_id=TaskId("t"),
        submitted_at=later(2),
    )
    assert running == evolve(
        submitting, state=JobState.RUNNING, task_id=TaskId("t"), submitted_at=later(2)
    )
    delivering = jobs.move(
        tx, running, JobState.DELIVERING, epoch=EPOCH, now=later(3), result_urls=("https://a/1",)
    )
    assert delivering == jobs.get(tx, job(1).job_id)
    assert delivering is not None
    assert delivering.result_urls == ("https://a/1",)


def test_of_two_who_move_the_same_job_one_learns_that_it_was_late(tx: Transaction) -> None:
    jobs.insert(tx, job(1), shard=SHARD, epoch=EPOCH)
    assert jobs.move(tx, job(1), JobState.SUBMITTING, epoch=EPOCH, now=later(1))
    late = jobs.move(tx, job(1), JobState.FAILED, epoch=9, now=later(1), reason=Reason.DEADLINE)
    assert late is None
    stands = jobs.get(tx, job(1).job_id)
    assert stands == evolve(job(1), state=JobState.SUBMITTING)


def test_an_illegal_move_is_a_bug(tx: Transaction) -> None:
    jobs.insert(tx, job(1), shard=SHARD, epoch=EPOCH)
    with pytest.raises(AssertionError, match="no way from reserved to delivered"):
        jobs.move(tx, job(1), JobState.DELIVERED, epoch=EPOCH, now=later(1))


def test_every_state_can_be_stored_and_final_ones_are_finished(tx: Transaction) -> None:
    for number, state in enumerate(JobState):
        jobs.insert(tx, evolve(job(number), state=state), shard=SHARD, epoch=EPOCH)
    left = [found.state for found in jobs.unfinished(tx, shard=SHARD)]
    assert left == [state for state in JobState if not state.is_final]
    assert jobs.active_count(tx, USER) == len(left)
    assert jobs.active_count(tx, UserId(2)) == 0
    assert jobs.unfinished(tx, shard=Shard(1)) == []


def test_the_first_callback_of_a_job_is_the_one_that_counts(tx: Transaction) -> None:
    assert kie_callbacks.task_of(tx, job(1).job_id) is None
    assert kie_callbacks.store(tx, job(1).job_id, TaskId("first"), later(1))
    assert not kie_callbacks.store(tx, job(1).job_id, TaskId("second"), later(2))
    assert kie_callbacks.task_of(tx, job(1).job_id) == "first"


def test_callbacks_wait_for_jobs_that_have_not_ended(tx: Transaction) -> None:
    jobs.insert(tx, FULL, shard=SHARD, epoch=EPOCH)
    for number in (2, 3):
        jobs.insert(tx, job(number), shard=SHARD, epoch=EPOCH)
    for number in (3, 2, 1, 4):  # the fourth has no job, as far as we know
        kie_callbacks.store(tx, job(number).job_id, TaskId(f"t{number}"), later(-number))
    assert kie_callbacks.waiting(tx) == [(job(3).job_id, "t3"), (job(2).job_id, "t2")]
