"""Each rule of the runtime, weakened by a few letters, turns a test red.

A mutant is a copy of the package with one text replaced; the named test is run on it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[2]
# A mutant that hangs has been noticed too.
PATIENCE_S = 30.0


@frozen
class Mutant:
    """Replace `old` by `new` in `module`, and `test` (in `tests`) fails."""

    rule: str
    module: str
    old: str
    new: str
    tests: str
    test: str


MUTANTS = [
    Mutant(
        "the budget allows as many restarts as it says",
        "restart",
        "return self.count(now) <= self.budget.restarts",
        "return self.count(now) < self.budget.restarts",
        "test_supervisor",
        "test_one_restart_too_many_stops_all_in_order_and_escalates",
    ),
    Mutant(
        "a restart at the edge of the window counts",
        "restart",
        "self._restarts_at[0] < now",
        "self._restarts_at[0] <= now",
        "test_restart",
        "test_a_restart_exactly_at_the_edge_of_the_window_still_counts",
    ),
    Mutant(
        "the stop is in reverse",
        "supervisor",
        "for cell in reversed(self._cells):\n                        await",
        "for cell in self._cells:\n                        await",
        "test_stop",
        "test_the_order_holds_when_the_budget_is_spent",
    ),
    Mutant(
        "a child is shielded from what cancels its supervisor",
        "cell",
        "self._scope = trio.CancelScope(shield=True)\n        self.state = State.RUNNING if",
        "self._scope = trio.CancelScope()\n        self.state = State.RUNNING if",
        "test_stop",
        "test_the_order_holds_when_the_outer_scope_is_cancelled",
    ),
    Mutant(
        "what was in hand at a crash is kept for the next incarnation",
        "cell",
        "intake.mailbox.give_back(retried)",
        "pass",
        "test_messages",
        "test_the_mailbox_and_its_refs_survive_a_restart",
    ),
    Mutant(
        "a restart leaves the mailbox as it is",
        "intake",
        "        self.mailbox.open()\n",
        "        self.mailbox.open()\n        self.mailbox.take_all()\n",
        "test_messages",
        "test_the_mailbox_and_its_refs_survive_a_restart",
    ),
    Mutant(
        "poison has exactly its retries",
        "cell",
        "turn.crashes > self.child.poison.retries",
        "turn.crashes >= self.child.poison.retries",
        "test_undelivered",
        "test_poison_is_put_aside_after_its_retries_and_its_asker_is_told",
    ),
    Mutant(
        "a turn that a stop cut off is no crash",
        "cell",
        "turn.crashes += self.error is not None",
        "turn.crashes += 1",
        "test_undelivered",
        "test_a_turn_that_group_restarts_cut_off_is_not_poison",
    ),
    Mutant(
        "a draining child takes what it holds",
        "intake",
        "(self._drains and stop.is_final and mailbox.depth)",
        "(stop.is_final and stop.is_final and not mailbox)",
        "test_undelivered",
        "test_a_child_that_drains_handles_what_it_holds_before_it_stops",
    ),
    Mutant(
        "only the guilty message of a batch is poison",
        "mailbox",
        "if size_max == 1 or queue[0].attempt > 1:",
        "if size_max == 1:",
        "test_undelivered",
        "test_only_the_guilty_message_of_a_batch_becomes_poison",
    ),
    Mutant(
        "a group restart counts once",
        "watch",
        "if cell.has_ended and self._settled[cell] < cell.incarnation:",
        "if False:",
        "test_supervisor",
        "test_simultaneous_crashes_under_one_for_all_count_once",
    ),
    Mutant(
        "the next child starts when the former is ready",
        "watch",
        "await cell.settled().wait()",
        "await trio.lowlevel.checkpoint()",
        "test_supervisor",
        "test_children_start_in_order_each_after_the_former_is_ready",
    ),
    Mutant(
        "a child has its grace",
        "cell",
        "with trio.move_on_after(self.stop_budget_s()):",
        "with trio.move_on_after(0.0):",
        "test_stop",
        "test_a_child_that_outlives_its_grace_is_cancelled_and_each_has_its_own",
    ),
    Mutant(
        "the grace ends in a cancellation",
        "cell",
        'scope.cancel(reason="the grace is over")',
        "pass",
        "test_stop",
        "test_a_child_that_outlives_its_grace_is_cancelled_and_each_has_its_own",
    ),
    Mutant(
        "the backoff shrinks after a quiet time",
        "cell",
        "now - self.ready_at >= backoff.cap_s",
        "now < self.ready_at",
        "test_supervisor",
        "test_delays_grow_with_the_failures_and_shrink_after_a_quiet_time",
    ),
    Mutant(
        "a normal end completes a transient child",
        "watch",
        "case Restart.TRANSIENT if cell.error is not None:",
        "case Restart.TRANSIENT:",
        "test_supervisor",
        "test_a_group_restart_does_not_wake_the_completed",
    ),
    Mutant(
        "a group restart wakes nobody who rests",
        "watch",
        "if cell is failed or cell in self._resting:",
        "if cell is failed:",
        "test_by_hand",
        "test_unlike_otp_a_group_restart_does_not_wake_a_child_stopped_by_hand",
    ),
    Mutant(
        "children that wait for a restart count against the maximum",
        "watch",
        "return len(self._cells) - len(self._resting)",
        "return sum(not cell.has_ended for cell in self._cells)",
        "test_by_hand",
        "test_the_maximum_counts_children_that_wait_for_a_restart_but_not_the_stopped",
    ),
    Mutant(
        "all significant children have to end",
        "restart",
        "return not others_are_up",
        "return True",
        "test_by_hand",
        "test_all_significant_children_have_to_end_before_their_supervisor_does",
    ),
    Mutant(
        "messages that came while an actor fell asleep wake it",
        "keeper",
        "        if entry.mailbox.is_empty:\n            self._remove",
        "        if True:\n            self._remove",
        "test_directory",
        "test_an_actor_that_returns_leaves_but_messages_in_the_race_start_it_again",
    ),
    Mutant(
        "falling asleep closes no mailbox",
        "bedtime",
        "entry.cell.request_stop(is_final=False)",
        "entry.cell.request_stop(is_final=True)",
        "test_directory",
        "test_a_message_to_an_actor_that_takes_its_time_to_fall_asleep_waits_for_the_next",
    ),
    Mutant(
        "who makes room is gone before the next begins",
        "places",
        "len(self._entries) - len(self._in_line) > self._live_max",
        "False",
        "test_eviction",
        "test_no_message_is_lost_and_no_bound_broken_while_actors_make_room_for_others",
    ),
    Mutant(
        "a cycle of asks is found",
        "asker",
        "if reader is self:",
        "if False:",
        "test_asks",
        "test_a_cycle_of_asks_is_named_at_once",
    ),
    Mutant(
        "a question that was put off closes no cycle",
        "asker",
        "if question is None or question.is_over:",
        "if question is None:",
        "test_asks",
        "test_a_question_that_was_put_off_may_be_followed_by_one_to_its_asker",
    ),
    Mutant(
        "only the task that takes the messages blocks its actor",
        "asker",
        "return _readers.get(current_task())",
        "t = current_task(); return _readers.get(t) or _readers.get(t.parent_nursery.parent_task)",
        "test_asks",
        "test_a_task_beside_the_turns_may_ask_back",
    ),
    Mutant(
        "the deadline of a turn bounds its asks",
        "ref",
        "deadline = min(deadline, about.deadline)",
        "pass",
        "test_asks",
        "test_an_ask_within_a_turn_waits_no_longer_than_the_one_who_asked",
    ),
    Mutant(
        "a turn is not inherited from the spawner",
        "cell",
        "        forget_current_turn()\n",
        "",
        "test_asks",
        "test_an_actor_inherits_nothing_from_the_turn_that_started_it",
    ),
    Mutant(
        "a message is as old as it is",
        "mailbox",
        "self._coming_at = None\n\n    async def pause",
        "pass\n\n    async def pause",
        "test_at_rest",
        "test_the_age_of_a_message_counts_from_when_it_was_sent",
    ),
    Mutant(
        "a question is not handled after its deadline",
        "intake",
        "if turn.deadline > now:",
        "if True:",
        "test_messages",
        "test_a_question_that_expired_in_the_queue_is_never_handled",
    ),
    Mutant(
        "a late answer is counted",
        "question",
        "self.post.late_replies += 1",
        "pass",
        "test_messages",
        "test_an_ask_without_an_answer_times_out_and_the_late_answer_is_counted",
    ),
    Mutant(
        "a stop waits behind no message",
        "intake",
        "while not stop.is_requested or (self._drains and",
        "while not stop.is_requested or (True and",
        "test_overflow",
        "test_a_stop_waits_behind_no_message_however_full_the_mailbox",
    ),
    Mutant(
        "a stop wakes who waits for a message",
        "cell",
        "self.intake.mailbox.end_wait()",
        "pass",
        "test_handler",
        "test_on_stop_is_shielded_within_the_grace_and_cut_off_after_it",
    ),
    Mutant(
        "what is dropped reaches the hook",
        "mailbox",
        "self.on_dropped(turn)",
        "pass",
        "test_overflow",
        "test_the_oldest_makes_room_is_counted_and_reaches_the_hook_and_its_asker",
    ),
    Mutant(
        "the model knows the budget",
        "restart",
        "return self.count(now) <= self.budget.restarts",
        "return self.count(now) < self.budget.restarts",
        "test_model",
        "test_any_tree_under_any_misfortune_does_what_the_model_says",
    ),
    Mutant(
        "the model knows who rests",
        "watch",
        "if cell is failed or cell in self._resting:",
        "if cell is failed:",
        "test_model",
        "test_any_tree_under_any_misfortune_does_what_the_model_says",
    ),
    Mutant(
        "the model knows the order of the stop",
        "supervisor",
        "for cell in reversed(self._cells):\n                        await",
        "for cell in self._cells:\n                        await",
        "test_model",
        "test_any_tree_under_any_misfortune_does_what_the_model_says",
    ),
    Mutant(
        "the model knows that a failed restart is tried again",
        "watch",
        "failed.back_off(self._rules.backoff, self._rules.chance, self._window)",
        "failed.due_at = math.inf",
        "test_model",
        "test_any_tree_under_any_misfortune_does_what_the_model_says",
    ),
    Mutant(
        "the workload misses what a crash loses",
        "cell",
        "intake.mailbox.give_back(retried)",
        "pass",
        "test_counting",
        "test_nothing_is_lost_or_handled_twice_whatever_happens_when",
    ),
    Mutant(
        "the workload notices what is handled twice",
        "intake",
        "        self._in_hand = ()\n",
        "        pass\n",
        "test_counting",
        "test_nothing_is_lost_or_handled_twice_whatever_happens_when",
    ),
    Mutant(
        "the workload misses what a stop forgets",
        "cell",
        "for turn in mailbox.take_all() if mailbox.depth else ():",
        "for turn in mailbox.take_all()[1:]:",
        "test_counting",
        "test_nothing_is_lost_or_handled_twice_whatever_happens_when",
    ),
]


def run_in(folder: Path, tests: str, *names: str) -> subprocess.CompletedProcess[str]:
    calls = "; ".join(f"t.{name}()" for name in names)
    small = {"SEEDS": "4", "PROGRAMS": "200", "SCHEDULES": "200", "SHRINK": "0"}
    chosen = {f"TRT_{name}": value for name, value in small.items()}
    environment = {**os.environ, **chosen}  # noqa: TID251 - the tests' own settings
    return subprocess.run(
        [sys.executable, "-c", f"import tests.supervision.{tests} as t; {calls}"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def copy_to(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("trt/supervision", "tests/supervision"):
        shutil.copytree(ROOT / part, folder / part, ignore=ignored)
    shutil.copy(ROOT / "trt/__init__.py", folder / "trt/__init__.py")


@pytest.mark.parametrize("tests", sorted({mutant.tests for mutant in MUTANTS}))
def test_the_named_tests_are_green_on_an_unchanged_copy(tests: str, tmp_path: Path) -> None:
    copy_to(tmp_path)
    names = sorted({mutant.test for mutant in MUTANTS if mutant.tests == tests})
    outcome = run_in(tmp_path, tests, *names)
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.rule for mutant in MUTANTS])
def test_a_weakened_rule_is_noticed(mutant: Mutant, tmp_path: Path) -> None:
    copy_to(tmp_path)
    module = tmp_path / "trt" / "supervision" / f"{mutant.module}.py"
    text = module.read_text()
    assert text.count(mutant.old) == 1, "the text to weaken must stand there once"
    module.write_text(text.replace(mutant.old, mutant.new))
    try:
        outcome = run_in(tmp_path, mutant.tests, mutant.test)
    except subprocess.TimeoutExpired:
        return
    assert outcome.returncode != 0, "nobody noticed"
    assert "SyntaxError" not in outcome.stderr
    assert "NameError" not in outcome.stderr
