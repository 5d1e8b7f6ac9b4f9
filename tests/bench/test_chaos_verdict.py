"""The verdict of `trt bench chaos`: every promise that it is about can be seen broken."""

import pytest
from attrs import evolve

from trt.bench.chaos import ChaosReport
from trt.bench.chaos_books import Kept, KeptJob
from trt.bench.chaos_outside import SeenMessage
from trt.bench.chaos_plan import ChaosPlan
from trt.bench.chaos_report import chaos_table
from trt.bench.chaos_verdict import (
    CHARGED,
    KILLED_WITHIN_S,
    REFUNDED,
    RELIEVED_WITHIN_S,
    UNDER_WAY_S,
    Seen,
    SeenTask,
    judge,
)

HAPPY = KeptJob(
    job_id="job-1",
    user_id=1,
    state="delivered",
    reason=None,
    task_id="task-1",
    has_result=True,
    transfers=CHARGED,
    results_sent=1,
    creates_ambiguous=0,
)
SAD = KeptJob(
    job_id="job-2",
    user_id=2,
    state="failed",
    reason="SUBMIT_UNKNOWN",
    task_id=None,
    has_result=False,
    transfers=REFUNDED,
    results_sent=0,
    creates_ambiguous=1,
)
TASK_OF_SAD = SeenTask(task_id="task-2", job_id="job-2")


SCREEN = SeenMessage(
    chat_id=1, message_id=1, method="sendMessage", at_s=1.0, is_answer_lost=False, is_notice=False
)
PHOTO = evolve(SCREEN, message_id=2, method="sendPhoto", at_s=2.0)
SECOND_PHOTO = evolve(PHOTO, message_id=3, at_s=3.0)
KEPT = Kept(
    jobs=[HAPPY, SAD],
    updates={10: "done", 11: "done"},
    messages=frozenset({(1, 1), (1, 2)}),
    sends_ambiguous=0,
    told_ambiguous=0,
    unfinished={},
    book_problems=(),
)
SEEN = Seen(
    buyers=[1, 2],
    updates=[10, 11],
    dropped=[],
    taps=["tap"],
    answered=frozenset({"tap"}),
    answers_arrived=frozenset({"tap"}),
    tasks=[SeenTask(task_id="task-1", job_id="job-1"), TASK_OF_SAD],
    messages=[SCREEN, PHOTO],
    kills_s=[100.0],
    takeovers_s=[-50.0, 102.0],
)


def with_job(job: KeptJob) -> Kept:
    """Return the books with this job in the place of the one of the same id."""
    return evolve(KEPT, jobs=[job if one.job_id == job.job_id else one for one in KEPT.jobs])


def test_delivered_and_charged_or_failed_and_refunded_is_all_right() -> None:
    verdict = judge(KEPT, SEEN)
    assert verdict.problems == ()
    assert (verdict.jobs, verdict.delivered, verdict.refunded) == (2, 1, 1)
    assert verdict.refund_reasons == {"SUBMIT_UNKNOWN": 1}
    assert (verdict.results, verdict.results_twice, verdict.orphans) == (1, 0, 1)


@pytest.mark.parametrize(
    ("kept", "problem"),
    [
        (with_job(evolve(HAPPY, transfers={"pending": 1})), "charge: job-1"),
        (with_job(evolve(HAPPY, transfers={"pending": 1, "post": 2})), "charge: job-1"),
        (with_job(evolve(HAPPY, transfers=REFUNDED)), "charge: job-1"),
        (with_job(evolve(HAPPY, results_sent=0)), "delivery: job-1"),
        (with_job(evolve(HAPPY, results_sent=2)), "delivery: job-1"),
        (with_job(evolve(HAPPY, state="running")), "job not ended: job-1 is running"),
        (with_job(evolve(HAPPY, state="failed", transfers=REFUNDED, has_result=False)), "delivery"),
        (with_job(evolve(HAPPY, task_id="task-9")), "orphan: job-1 has a task that KIE does not"),
        (with_job(evolve(SAD, transfers={"pending": 1})), "refund: job-2"),
        (with_job(evolve(SAD, transfers=CHARGED)), "refund: job-2"),
        (with_job(evolve(SAD, creates_ambiguous=0)), "orphan: task task-2 of job-2, which knew"),
        (evolve(KEPT, jobs=[HAPPY]), "orders: 2 has 0 jobs"),
        (evolve(KEPT, jobs=[*KEPT.jobs, evolve(SAD, job_id="job-3")]), "orders: 2 has 2 jobs"),
        (evolve(KEPT, jobs=[HAPPY]), "orphan: task task-2 of no job"),
        (evolve(KEPT, updates={10: "done"}), "update lost: 11 is absent"),
        (evolve(KEPT, updates={10: "dead", 11: "done"}), "update lost: 10 is dead"),
        (evolve(KEPT, messages=frozenset({(1, 2)})), "message twice: sendMessage to 1, message 1"),
        (evolve(KEPT, unfinished={"reserves": 3}), "not settled: 3 reserves"),
        (evolve(KEPT, book_problems=("account 1: overdrawn",)), "books: account 1: overdrawn"),
    ],
)
def test_what_the_database_may_not_say(kept: Kept, problem: str) -> None:
    assert any(one.startswith(problem) for one in judge(kept, SEEN).problems)


@pytest.mark.parametrize(
    ("seen", "problem"),
    [
        (evolve(SEEN, messages=[SCREEN]), "delivery: job-1 is delivered with 1 results sent, 0"),
        (evolve(SEEN, messages=[*SEEN.messages, SECOND_PHOTO]), "message twice: sendPhoto to 1"),
        (evolve(SEEN, dropped=[12]), "update given up by Telegram: 12"),
        (evolve(SEEN, answers_arrived=frozenset()), "tap never answered: tap"),
        (
            evolve(SEEN, tasks=[*SEEN.tasks, evolve(TASK_OF_SAD, task_id="task-3")]),
            "ordered twice: job-2 has 2 tasks",
        ),
    ],
)
def test_what_may_not_be_seen_outside(seen: Seen, problem: str) -> None:
    assert any(one.startswith(problem) for one in judge(KEPT, seen).problems)


def test_a_second_result_is_all_right_if_the_answer_to_the_first_was_lost() -> None:
    first = evolve(PHOTO, is_answer_lost=True)
    kept = evolve(KEPT, messages=frozenset({(1, 1), (1, 3)}))
    verdict = judge(kept, evolve(SEEN, messages=[SCREEN, first, SECOND_PHOTO]))
    assert verdict.problems == ()
    assert (verdict.results_twice, verdict.twice_lost, verdict.twice_killed) == (1, 1, 0)


@pytest.mark.parametrize(
    ("after_s", "killed", "relieved"),
    [
        (-UNDER_WAY_S - 0.1, 0, 0),
        (-UNDER_WAY_S, 1, 1),
        (KILLED_WITHIN_S, 1, 1),
        (KILLED_WITHIN_S + 0.1, 0, 1),
        (RELIEVED_WITHIN_S, 0, 1),
        (RELIEVED_WITHIN_S + 0.1, 0, 0),
    ],
)
def test_a_second_result_is_all_right_if_the_sender_of_the_first_could_not_write_it_down(
    after_s: float, killed: int, relieved: int
) -> None:
    at_s = PHOTO.at_s + after_s
    kept = evolve(KEPT, messages=frozenset({(1, 1), (1, 3)}))
    seen = evolve(SEEN, messages=[SCREEN, PHOTO, SECOND_PHOTO])
    verdict = judge(kept, evolve(seen, kills_s=[at_s]))
    assert (not verdict.problems, verdict.twice_killed) == (killed == 1, killed)
    verdict = judge(kept, evolve(seen, takeovers_s=[at_s]))
    assert (not verdict.problems, verdict.twice_relieved) == (relieved == 1, relieved)


def test_what_a_standby_says_is_in_no_outbox() -> None:
    notice = evolve(SCREEN, message_id=4, is_notice=True)
    verdict = judge(KEPT, evolve(SEEN, messages=[*SEEN.messages, notice]))
    assert verdict.problems == ()
    assert (verdict.twice_lost, verdict.twice_killed) == (0, 0)


def test_a_result_after_the_refund_is_for_nothing() -> None:
    kept = with_job(evolve(SAD, has_result=True))
    late = evolve(PHOTO, chat_id=2, message_id=1)
    kept = evolve(kept, messages=kept.messages | {(2, 1)})
    verdict = judge(kept, evolve(SEEN, messages=[*SEEN.messages, late]))
    assert verdict.problems == ()
    assert verdict.came_late == 1


def test_many_problems_of_a_kind_are_counted_and_not_all_told() -> None:
    problems = judge(KEPT, evolve(SEEN, dropped=range(100, 120))).problems
    assert len(problems) == 6
    assert problems[-1] == "update given up by Telegram: 15 more"


def test_the_table_says_what_was_done_and_what_should_not_be() -> None:
    report = ChaosReport(
        engine="SQLite",
        plan=ChaosPlan(seed=99, jobs=2, kills=1),
        verdict=judge(KEPT, SEEN),
        kills=1,
        kills_of_holders=1,
        starts=3,
        takeovers=2,
        misfortunes={"429": 4},
        took_s=12.0,
        problems=(),
    )
    table = chaos_table(report)
    assert "seed 99" in table
    assert "Nothing that should not be." in table
    for row in ("kills ", "429 ", "  delivered and charged once ", "    SUBMIT_UNKNOWN "):
        assert f"\n{row}" in table
    assert "\n  books: wrong\n" in chaos_table(evolve(report, problems=("books: wrong",)))
