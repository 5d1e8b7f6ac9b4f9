"""The story of a tap is whole and in order, and quotes nobody."""

import msgspec
import pytest
from attrs import evolve

from tests.ops.samples import (
    CANARY,
    CID,
    NOW,
    SHARD,
    USER,
    inbox_row,
    later,
    new_job,
    play_crashed_tap,
    play_delivered_job,
    play_unanswered_tap,
    settle,
)
from trt.domain.ids import Cid, TaskId, UserId
from trt.domain.job import JobState
from trt.domain.payments import Payment, PaymentKey, Source
from trt.domain.reasons import Reason
from trt.ops.database_door import Door
from trt.ops.story import SHOWN_FIELDS, Place, Story, story_of
from trt.ops.story_page import story_page, taps_page
from trt.ops.story_rows import traces_of
from trt.ops.taps import taps_of_user
from trt.storage import admin_actions, app_events, inbox, job_attempts, jobs, payments
from trt.storage.admin_actions import ActionKind, Mandate
from trt.storage.app_events import AppEvent
from trt.storage.database import Transaction
from trt.storage.job_attempts import AttemptOutcome
from trt.storage.timestamps import to_unix
from trt.telemetry.events import CATALOGUE, CONTEXT
from trt.telemetry.stream import id_hash

CRASHED, UNANSWERED, WAITING = Cid("aaaaaaaa"), Cid("bbbbbbbb"), Cid("cccccccc")


async def told(door: Door, cid: Cid = CID) -> Story:
    story = story_of(cid, await door.read(traces_of, cid))
    assert story is not None
    return story


async def test_a_delivered_job_is_told_from_the_tap_to_the_money_in_order_of_time(
    door: Door,
) -> None:
    await door.db.transact(play_delivered_job)
    story = await told(door)
    job = f"job {new_job().job_id[:8]}"
    assert [(step.place, step.what) for step in story.steps] == [
        (Place.INBOX, "callback_query received (update 77, shard 0)"),
        (Place.EVENT, "CALLBACK_ROUTED handler=confirm"),
        (Place.JOB, f"{job} of flux/dev for 14.04 RUB begun"),
        (Place.MONEY, f"14.04 RUB held (reserve) for {job}"),
        (Place.OUTBOX, "#1 show_screen queued"),
        (Place.INBOX, "done: SUCCESS (epoch 1)"),
        (Place.OUTBOX, "#1 show_screen sent"),
        (Place.JOB, f"{job} submitted (attempt 1, task kie-task)"),
        (Place.KIE, f"{job} called back"),
        (Place.JOB, f"{job} is delivered (epoch 1)"),
        (Place.MONEY, f"14.04 RUB charged (capture) for {job}"),
    ]
    assert [step.at for step in story.steps] == sorted(step.at for step in story.steps)
    assert story.outcome == "delivered, 14.04 RUB charged"
    assert story.user_hash == id_hash(USER)


async def test_an_update_that_a_lost_holder_left_open_is_told_with_its_attempt(door: Door) -> None:
    def play(tx: Transaction) -> None:
        play_delivered_job(tx)
        tx.execute("UPDATE inbox SET attempts = 2")

    await door.db.transact(play)
    steps = [(step.place, step.what) for step in (await told(door)).steps]
    assert (Place.INBOX, "done: SUCCESS at attempt 2 (epoch 1)") in steps


def _play_two_calls(tx: Transaction) -> None:
    """Call createTask twice: KIE was busy, then made a task that took other credits."""
    play_delivered_job(tx)
    first, second = (evolve(new_job(), attempt=number) for number in (1, 2))
    job_attempts.begin(tx, first, epoch=1, now=later(0.3))
    job_attempts.end(tx, first, AttemptOutcome.BUSY, now=later(0.4))
    job_attempts.begin(tx, second, epoch=2, now=later(0.5))
    job_attempts.end(tx, second, AttemptOutcome.CREATED, now=later(0.9))
    job_attempts.name_task(tx, second, TaskId("kie-task"))
    tx.execute(
        "UPDATE jobs SET ready_at = :at, credits_expected = '0.8', credits_consumed = '1.1'",
        {"at": to_unix(later(10.0))},
    )


async def test_every_call_of_create_task_is_told_with_its_epoch_and_what_kie_took(
    door: Door,
) -> None:
    await door.db.transact(_play_two_calls)
    steps = [(step.place, step.what) for step in (await told(door)).steps]
    name = new_job().job_id[:8]
    calls = [
        (Place.JOB, f"createTask 1 of job {name} called (epoch 1)"),
        (Place.KIE, f"createTask 1 of job {name}: busy"),
        (Place.JOB, f"createTask 2 of job {name} called (epoch 2)"),
        (Place.KIE, f"createTask 2 of job {name}: created, task kie-task"),
    ]
    assert [step for step in steps if "createTask" in step[1]] == calls
    assert (Place.KIE, f"job {name} has its result for 1.1 credits, 0.8 expected") in steps
    assert not any("submitted" in what for _, what in steps)


def _play_deeds(tx: Transaction) -> None:
    """Credit a user from the machine, and turn a receipt down, which moves no money."""
    settle(tx)
    credit = Mandate(
        action_id="by-hand", admin="ops:ann", reason="a long wait", cid=CID, epoch=0, now=NOW
    )
    admin_actions.credit(tx, credit, USER, 500)
    refusal = evolve(credit, action_id="no", admin="telegram:7", reason="receipt r", cid=UNANSWERED)
    play_unanswered_tap(tx, cid=UNANSWERED, at_s=0)
    admin_actions.note(tx, refusal, ActionKind.REJECT, USER, 100, "r")
    elsewhere = evolve(credit, action_id="other", reason=CANARY, cid=CRASHED)
    admin_actions.credit(tx, elsewhere, USER, 700)


async def test_what_the_operator_did_is_told_with_the_reason_whether_money_moved_or_not(
    door: Door,
) -> None:
    await door.db.transact(_play_deeds)
    assert [(step.place, step.what) for step in (await told(door)).steps] == [
        (Place.ADMIN, f"credit, 5.00 RUB, user {id_hash(USER)}, by ops:ann: a long wait"),
        (Place.MONEY, "5.00 RUB moved (admin_credit)"),
    ]
    deeds = [one.what for one in (await told(door, UNANSWERED)).steps if one.place is Place.ADMIN]
    assert deeds == [f"reject of r, 1.00 RUB, user {id_hash(USER)}, by telegram:7: receipt r"]


async def test_a_payment_is_told_where_it_was_credited_with_what_became_of_it(door: Door) -> None:
    def play(tx: Transaction) -> None:
        settle(tx)
        key = PaymentKey(Source.STARS, "stx")
        paid = Payment(key=key, user_id=USER, amount_kopecks=10_140, stars=1, order_id=None)
        payments.credit(tx, paid, shard=SHARD, cid=CID, epoch=1, now=NOW)
        payments.take_back(tx, paid, shard=SHARD, cid=CRASHED, epoch=1, now=later(9))

    await door.db.transact(play)
    assert [(step.place, step.what) for step in (await told(door)).steps] == [
        (Place.PAYMENT, "stars:stx of 101.40 RUB for 1 Star credited"),
        (Place.MONEY, "101.40 RUB moved (payment)"),
        (Place.PAYMENT, "stars:stx is disputed"),
    ]
    assert {step.place for step in (await told(door, CRASHED)).steps} == {Place.MONEY}


async def test_the_page_shows_the_time_since_the_tap_and_the_time_of_day(door: Door) -> None:
    await door.db.transact(play_delivered_job)
    page = story_page(await told(door))
    assert page.startswith(f"cid {CID}, user {id_hash(USER)}: delivered, 14.04 RUB charged\n")
    assert "11 steps in 12 s" in page
    lines = page.splitlines()
    assert lines[3].split()[:5] == ["+0", "ms", "2026-01-02", "03:04:05.000", "inbox"]
    assert "+12,300 ms  2026-01-02 03:04:17.300  money" in page


async def test_a_story_quotes_nobody(door: Door) -> None:
    await door.db.transact(play_delivered_job)
    await door.db.transact(play_unanswered_tap, cid=UNANSWERED, at_s=100)
    for cid in (CID, UNANSWERED):
        story = await told(door, cid)
        assert CANARY not in story_page(story)
        assert CANARY not in msgspec.json.encode(story).decode()
        assert str(USER) not in story_page(story)
    taps = await door.read(taps_of_user, USER, since=NOW)
    assert CANARY not in taps_page(taps)


def test_the_fields_shown_exist_and_free_words_are_not_among_them() -> None:
    known = set().union(CONTEXT, *(kind.known for kind in CATALOGUE.values()))
    assert set(SHOWN_FIELDS) <= known
    assert not {"detail", "payload", "message", "reason"} & set(SHOWN_FIELDS)


async def test_an_unknown_cid_has_no_story(door: Door) -> None:
    assert story_of(CID, await door.read(traces_of, CID)) is None


async def test_events_alone_are_a_story(door: Door) -> None:
    event = AppEvent(at=NOW, level="info", event="UPDATE_RECEIVED", cid=CID, user_id=USER)
    await door.db.transact(app_events.insert, [event])
    story = await told(door)
    assert (story.outcome, story.user_hash) == ("only its events are kept", id_hash(USER))


def play_refund(tx: Transaction) -> None:
    settle(tx)
    job = new_job()
    jobs.insert(tx, job, shard=inbox_row(1).shard, epoch=1)
    jobs.move(tx, job, JobState.FAILED, epoch=1, now=later(5), reason=Reason.KIE_UNAVAILABLE)


async def test_a_failed_job_says_why(door: Door) -> None:
    await door.db.transact(play_refund)
    story = await told(door)
    assert story.outcome == "refunded: KIE_UNAVAILABLE"
    assert story.steps[-1].what.endswith("is failed: KIE_UNAVAILABLE (epoch 1)")


async def test_the_taps_of_a_user_are_listed_with_what_became_of_them(door: Door) -> None:
    await door.db.transact(play_delivered_job)
    await door.db.transact(play_crashed_tap, cid=CRASHED, at_s=100)
    await door.db.transact(play_unanswered_tap, cid=UNANSWERED, at_s=200)
    await door.db.transact(inbox.store, [inbox_row(300, cid=WAITING, at_s=300)])
    taps = await door.read(taps_of_user, USER, since=NOW)
    assert [(tap.cid, tap.what, tap.outcome) for tap in taps] == [
        (WAITING, "callback_query", "not handled yet"),
        (UNANSWERED, "callback_query", "handled; 1 message not delivered"),
        (CRASHED, "callback_query", "dead: HANDLER_CRASHED"),
        (CID, "flux/dev", "delivered, 14.04 RUB charged"),
    ]
    assert [tap.at for tap in taps] == [later(300), later(200), later(100), NOW]


async def test_only_the_last_taps_of_this_user_are_listed(door: Door) -> None:
    rows = [inbox_row(n, cid=Cid(f"{n:08x}"), at_s=n) for n in range(1, 6)]
    await door.db.transact(inbox.store, rows)
    since_third = await door.read(taps_of_user, USER, since=later(3))
    assert [tap.cid for tap in since_third] == ["00000005", "00000004", "00000003"]
    last = await door.read(taps_of_user, USER, since=NOW, limit=2)
    assert [tap.cid for tap in last] == ["00000005", "00000004"]
    assert await door.read(taps_of_user, UserId(4), since=NOW) == ()


@pytest.mark.parametrize("word", ["at (UTC)", "cid", "what", "outcome"])
def test_the_list_has_a_head(word: str) -> None:
    assert word in taps_page([])
