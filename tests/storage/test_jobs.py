"""Jobs move between their states one legal step at a time."""

from decimal import Decimal

import pytest
from attrs import evolve

from tests.storage.samples import EPOCH, OTHER_SHARD, SHARD, USER, job, later
from trt.domain.ids import JobId, MessageId, ModelId, Shard, TaskId, UserId
from trt.domain.job import Job, JobState
from trt.domain.reasons import Reason
from trt.storage import job_attempts, jobs, kie_callbacks
from trt.storage.database import Transaction
from trt.storage.job_attempts import Attempt, AttemptOutcome
from trt.storage.jobs import JobOrigin, UnreadableJob

FULL = evolve(
    job(1),
    state=JobState.FAILED,
    attempt=3,
    task_id=TaskId("task"),
    submitted_at=later(9),
    status_message_id=MessageId(5),
    reason=Reason.KIE_FAILED,
    result_urls=("https://a/1.png", "https://a/2.png"),
    credits_expected=Decimal("0.80"),
    credits_consumed=Decimal("1.1"),
    ready_at=later(20),
    ended_at=later(30),
)


@pytest.mark.parametrize("sample", [job(1), FULL])
def test_a_job_comes_back_as_it_went_in(tx: Transaction, sample: Job) -> None:
    assert jobs.insert(tx, sample, shard=SHARD, epoch=EPOCH)
    assert jobs.get(tx, sample.job_id) == sample
    assert jobs.get(tx, JobId("other")) is None


@pytest.mark.parametrize("column", ["params", "credits_expected"])
def test_a_job_of_another_release_is_named_and_raises_nothing(tx: Transaction, column: str) -> None:
    jobs.insert(tx, FULL, shard=SHARD, epoch=EPOCH)
    tx.execute(f"UPDATE jobs SET {column} = '<of tomorrow>'")
    assert jobs.get(tx, FULL.job_id) == UnreadableJob(job_id=FULL.job_id)


def test_a_draft_becomes_a_job_once(tx: Transaction) -> None:
    assert jobs.insert(tx, job(1), shard=SHARD, epoch=EPOCH)
    again = evolve(job(2), draft_id=job(1).draft_id)
    assert not jobs.insert(tx, again, shard=SHARD, epoch=EPOCH)
    assert jobs.get(tx, again.job_id) is None
    of_another = evolve(again, user_id=UserId(2))
    assert jobs.insert(tx, of_another, shard=SHARD, epoch=EPOCH)


def test_a_job_is_shown_only_to_its_owner(tx: Transaction) -> None:
    jobs.insert(tx, job(1), shard=SHARD, epoch=EPOCH)
    assert jobs.kept_of_user(tx, USER, job(1).job_id) == job(1)
    assert jobs.kept_of_user(tx, UserId(2), job(1).job_id) is None
    assert jobs.kept_of_user(tx, USER, JobId("other")) is None


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
    left = [found.state for found in jobs.unfinished(tx, shard=SHARD) if isinstance(found, Job)]
    assert left == [state for state in JobState if not state.is_final]
    # What is in delivery is made: it does not keep its user from ordering more.
    assert jobs.active_count(tx, USER) == len(left) - 1
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
    assert kie_callbacks.waiting(tx, shard=SHARD) == [(job(3).job_id, "t3"), (job(2).job_id, "t2")]


def test_callbacks_are_looked_for_shard_by_shard(tx: Transaction) -> None:
    for number in (1, 2):
        jobs.insert(tx, job(number), shard=Shard(number), epoch=EPOCH)
        kie_callbacks.store(tx, job(number).job_id, TaskId("t"), later(0))
    assert kie_callbacks.waiting(tx, shard=Shard(2)) == [(job(2).job_id, "t")]


def test_callbacks_are_forgotten_when_their_jobs_no_longer_need_them(tx: Transaction) -> None:
    jobs.insert(tx, FULL, shard=SHARD, epoch=EPOCH)
    jobs.insert(tx, job(2), shard=SHARD, epoch=EPOCH)
    for number in (1, 2, 3):
        kie_callbacks.store(tx, job(number).job_id, TaskId("t"), later(number))
    assert kie_callbacks.prune(tx, shard=SHARD, before=later(1), limit=9) == 0
    assert kie_callbacks.prune(tx, shard=OTHER_SHARD, before=later(9), limit=9) == 0
    assert kie_callbacks.prune(tx, shard=SHARD, before=later(9), limit=1) == 1
    assert kie_callbacks.task_of(tx, job(1).job_id) is None
    assert kie_callbacks.prune(tx, shard=SHARD, before=later(9), limit=9) == 1
    assert kie_callbacks.task_of(tx, job(2).job_id) == "t"


@pytest.mark.parametrize(
    "change",
    ["params = '{\"size\": [1, 2]}'", "reason = 'OF_THE_FUTURE'", "result_urls = '7'"],
)
def test_a_row_of_the_future_does_not_hide_the_others(tx: Transaction, change: str) -> None:
    for number in (1, 2):
        jobs.insert(tx, job(number), shard=SHARD, epoch=EPOCH)
    tx.execute(f"UPDATE jobs SET {change} WHERE job_id = :job_id", {"job_id": job(1).job_id})
    assert jobs.unfinished(tx, shard=SHARD) == [UnreadableJob(job_id=job(1).job_id), job(2)]
    assert jobs.kept_of_user(tx, USER, job(1).job_id) is None
    assert jobs.last_of_user(tx, USER, limit=5) == [job(2)]


def test_a_job_is_traced_to_its_origin_whatever_its_row_says(tx: Transaction) -> None:
    assert jobs.origin_of(tx, job(1).job_id) is None
    jobs.insert(tx, job(1), shard=Shard(3), epoch=EPOCH)
    tx.execute("UPDATE jobs SET params = 'of the future'")
    assert jobs.origin_of(tx, job(1).job_id) == JobOrigin(cid=job(1).cid, shard=Shard(3))


def test_a_job_that_is_there_is_not_stored_again(tx: Transaction) -> None:
    assert jobs.insert(tx, job(1), shard=SHARD, epoch=EPOCH)
    assert not jobs.insert(tx, job(1), shard=SHARD, epoch=EPOCH)
    assert not jobs.insert(tx, evolve(job(2), job_id=job(1).job_id), shard=SHARD, epoch=EPOCH)


def test_the_list_has_all_that_is_unfinished_and_the_last_of_the_rest(tx: Transaction) -> None:
    for number in range(1, 8):
        state = JobState.RUNNING if number in {1, 6} else JobState.DELIVERED
        jobs.insert(tx, evolve(job(number), state=state), shard=SHARD, epoch=EPOCH)
    jobs.insert(tx, job(9, user_id=2), shard=SHARD, epoch=EPOCH)
    listed = jobs.last_of_user(tx, USER, limit=2)
    assert [one.job_id for one in listed] == [job(number).job_id for number in (7, 6, 5, 1)]


def test_the_end_is_dated_and_what_kie_took_is_kept(tx: Transaction) -> None:
    running = evolve(job(1), state=JobState.RUNNING)
    jobs.insert(tx, running, shard=SHARD, epoch=EPOCH)
    ready = jobs.move(
        tx,
        running,
        JobState.DELIVERING,
        epoch=EPOCH,
        now=later(5),
        ready_at=later(5),
        credits_consumed=Decimal("0.80"),
    )
    assert ready is not None
    assert (ready.ended_at, ready.ready_at, str(ready.credits_consumed)) == (None, later(5), "0.80")
    ended = jobs.move(tx, ready, JobState.DELIVERED, epoch=EPOCH, now=later(6))
    assert ended == evolve(ready, state=JobState.DELIVERED, ended_at=later(6))


def _durations(tx: Transaction, *durations_s: float, state: JobState) -> None:
    for number, duration_s in enumerate(durations_s, 1 + 100 * list(JobState).index(state)):
        made = evolve(
            job(number),
            state=state,
            submitted_at=later(number),
            ready_at=later(number + duration_s),
        )
        jobs.insert(tx, made, shard=SHARD, epoch=EPOCH)


def test_durations_are_those_of_the_last_delivered_jobs_of_a_model(tx: Transaction) -> None:
    _durations(tx, 10.0, 20.0, 30.0, state=JobState.DELIVERED)
    _durations(tx, 99.0, state=JobState.FAILED)
    jobs.insert(tx, evolve(job(999), state=JobState.DELIVERED), shard=SHARD, epoch=EPOCH)
    measured = jobs.durations_s(tx, job(1).model_id, limit=2)
    assert measured == pytest.approx([30.0, 20.0])
    assert jobs.durations_s(tx, ModelId("another"), limit=2) == []


def test_a_failed_job_is_looked_at_again_when_it_is_time(tx: Transaction) -> None:
    jobs.insert(tx, job(1), shard=SHARD, epoch=EPOCH)
    failed = jobs.move(
        tx, job(1), JobState.FAILED, epoch=EPOCH, now=later(1), look_again_at=later(10)
    )
    assert failed is not None
    assert jobs.to_look_at(tx, shard=SHARD, now=later(9)) == []
    assert jobs.to_look_at(tx, shard=SHARD, now=later(10)) == [job(1).job_id]
    assert jobs.to_look_at(tx, shard=Shard(1), now=later(10)) == []
    jobs.look_again(tx, job(1).job_id, later(20), epoch=EPOCH)
    assert jobs.to_look_at(tx, shard=SHARD, now=later(10)) == []
    jobs.look_again(tx, job(1).job_id, None, epoch=EPOCH)
    assert jobs.to_look_at(tx, shard=SHARD, now=later(99)) == []


def test_a_late_result_is_taken_once_and_only_by_a_failed_job(tx: Transaction) -> None:
    urls = ("https://a/1",)
    jobs.insert(tx, job(1), shard=SHARD, epoch=EPOCH)
    assert jobs.came_late(tx, job(1), urls, epoch=EPOCH, now=later(5)) is None
    failed = jobs.move(
        tx, job(1), JobState.FAILED, epoch=EPOCH, now=later(1), look_again_at=later(2)
    )
    assert failed is not None
    late = jobs.came_late(tx, failed, urls, epoch=EPOCH, now=later(5))
    assert late == evolve(failed, result_urls=urls, ready_at=later(5))
    assert jobs.to_look_at(tx, shard=SHARD, now=later(99)) == []
    assert jobs.came_late(tx, failed, ("https://a/2",), epoch=EPOCH, now=later(6)) is None


def test_each_call_has_a_row_that_ends_once(tx: Transaction) -> None:
    first, second = evolve(job(1), attempt=1), evolve(job(1), attempt=2)
    job_attempts.begin(tx, first, epoch=EPOCH, now=later(1))
    job_attempts.end(tx, first, AttemptOutcome.BUSY, now=later(2))
    job_attempts.end(tx, first, AttemptOutcome.UNKNOWN, now=later(3))
    job_attempts.begin(tx, second, epoch=EPOCH + 1, now=later(4))
    job_attempts.name_task(tx, second, TaskId("t"))
    assert job_attempts.of_job(tx, job(1).job_id) == [
        Attempt(
            attempt=1,
            epoch=EPOCH,
            began_at=later(1),
            ended_at=later(2),
            outcome=AttemptOutcome.BUSY,
            task_id=None,
        ),
        Attempt(
            attempt=2,
            epoch=EPOCH + 1,
            began_at=later(4),
            ended_at=None,
            outcome=None,
            task_id=TaskId("t"),
        ),
    ]


def test_what_earlier_holders_called_lately_is_known(tx: Transaction) -> None:
    for number, (shard, epoch, at_s) in enumerate(
        [(0, EPOCH, 95.0), (0, EPOCH, 80.0), (1, EPOCH, 96.0), (0, EPOCH + 1, 97.0)], 1
    ):
        called = evolve(job(number), attempt=1)
        jobs.insert(tx, called, shard=Shard(shard), epoch=epoch)
        job_attempts.begin(tx, called, epoch=epoch, now=later(at_s))
    ages = job_attempts.ages_s(
        tx, shard=SHARD, before_epoch=EPOCH + 1, within_s=10.0, now=later(100)
    )
    assert ages == pytest.approx([5.0])


def test_calls_are_forgotten_a_while_after_their_jobs_ended_for_good(tx: Transaction) -> None:
    ended = [evolve(FULL, job_id=job(n).job_id, draft_id=job(n).draft_id) for n in (1, 2, 3)]
    may_come_late = evolve(job(4), attempt=1)
    running = evolve(job(5), attempt=1, state=JobState.RUNNING)
    for each in (*ended, may_come_late, running):
        jobs.insert(tx, each, shard=SHARD, epoch=EPOCH)
        job_attempts.begin(tx, each, epoch=EPOCH, now=later(1))
    jobs.move(tx, may_come_late, JobState.FAILED, epoch=EPOCH, now=later(2), look_again_at=later(9))
    orphan = evolve(job(6), attempt=1)  # of a job that is gone
    job_attempts.begin(tx, orphan, epoch=EPOCH, now=later(1))
    assert job_attempts.prune(tx, shard=OTHER_SHARD, before=later(99), limit=9) == 0
    assert job_attempts.prune(tx, shard=SHARD, before=later(30), limit=9) == 1
    assert job_attempts.of_job(tx, orphan.job_id) == []
    assert job_attempts.prune(tx, shard=SHARD, before=later(31), limit=2) == 2
    assert job_attempts.prune(tx, shard=SHARD, before=later(31), limit=2) == 1
    assert job_attempts.of_job(tx, ended[0].job_id) == []
    assert job_attempts.of_job(tx, may_come_late.job_id)
    assert job_attempts.of_job(tx, running.job_id)
