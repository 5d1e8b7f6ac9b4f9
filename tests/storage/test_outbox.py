"""What is to be said is kept until it was said, and in order."""

import pytest
from attrs import evolve

from tests.storage.samples import CHAT, CID, EPOCH, NOW, OTHER_SHARD, SHARD, later
from trt.domain.ids import CallbackId, ChatId, JobId, MessageId, Shard
from trt.domain.model_card import OutputKind
from trt.domain.replies import (
    AnswerCallback,
    Button,
    PassOnFile,
    Reply,
    Screen,
    ScreenId,
    SendInvoice,
    SendResult,
    ShowScreen,
)
from trt.storage import outbox
from trt.storage.database import Transaction
from trt.storage.outbox import (
    Attempted,
    Failed,
    Left,
    OutboxId,
    OutboxRow,
    Outcome,
    Results,
    Sent,
    Skipped,
)

KEYBOARD = (
    (Button(text="✅ Запустить", data="confirm"), Button(text="Отмена", data="cancel")),
    (Button(text="Назад", data="back"),),
)
TOAST = AnswerCallback(callback_id=CallbackId("1"))
REPLIES: list[Reply] = [
    ShowScreen(screen=Screen(screen_id=ScreenId.HELP, text="<b>Помощь</b>")),
    ShowScreen(
        screen=Screen(screen_id=ScreenId.CONFIRM, text="1 < 2", keyboard=KEYBOARD),
        edit_message_id=MessageId(77),
        slot="menu",
    ),
    TOAST,
    AnswerCallback(callback_id=CallbackId("2"), text="Уже идёт", is_alert=True),
    SendResult(job_id=JobId("j"), output=OutputKind.VIDEO, urls=(), caption=""),
    SendResult(
        job_id=JobId("j"),
        output=OutputKind.IMAGE,
        urls=("https://a/1.png", "https://a/2.png"),
        caption="готово",
        keyboard=KEYBOARD,
    ),
    SendInvoice(
        title="100 ⭐",
        description="101,40 ₽",
        payload="sealed",
        price_stars=100,
        pay_text="Оплатить",
    ),
    PassOnFile(file_id="f", is_photo=True, caption="чек", keyboard=KEYBOARD),
]


def put(tx: Transaction, reply: Reply = TOAST, *, chat_id: int = CHAT, shard: int = 0) -> OutboxId:
    return outbox.put(
        tx,
        shard=Shard(shard),
        chat_id=ChatId(chat_id),
        reply=reply,
        cid=CID,
        job_id=JobId("j"),
        epoch=EPOCH,
        now=NOW,
    )


def claim(
    tx: Transaction, claimant: str = "sender", limit: int = 100, claim_no: int = 1
) -> list[OutboxRow]:
    return outbox.claim(
        tx, shard=SHARD, claimant=claimant, claim_no=claim_no, limit=limit, epoch=EPOCH
    )


def in_slot(slot: str) -> ShowScreen:
    return ShowScreen(screen=Screen(screen_id=ScreenId.NOTICE, text="…"), slot=slot)


@pytest.mark.parametrize("reply", REPLIES)
def test_every_reply_comes_back_as_it_went_in(tx: Transaction, reply: Reply) -> None:
    outbox_id = put(tx, reply)
    assert claim(tx) == [
        OutboxRow(
            outbox_id=outbox_id,
            chat_id=CHAT,
            reply=reply,
            cid=CID,
            job_id=JobId("j"),
            created_at=NOW,
            attempts=0,
            attempts_ambiguous=0,
            slot_message_id=None,
        )
    ]


def test_every_kind_of_reply_is_in_the_samples() -> None:
    assert {type(reply) for reply in REPLIES} == set(Reply.__args__)


def test_a_claimant_is_handed_each_row_once_in_order(tx: Transaction) -> None:
    ids = [put(tx) for _ in range(5)]
    put(tx, shard=1)
    assert [row.outbox_id for row in claim(tx, limit=2, claim_no=1)] == ids[:2]
    assert [row.outbox_id for row in claim(tx, claim_no=2)] == ids[2:]
    assert claim(tx, claim_no=3) == []


def test_a_new_incarnation_is_handed_all_that_was_left_unsent(tx: Transaction) -> None:
    first, second, third, fourth = [put(tx) for _ in range(4)]
    claim(tx, "old")
    outcomes: list[outbox.Outcome] = [
        Sent(outbox_id=first, message_id=None),
        Failed(outbox_id=second, detail="blocked"),
        Skipped(outbox_id=third),
    ]
    outbox.mark(tx, outcomes, epoch=EPOCH, now=NOW)
    assert [row.outbox_id for row in claim(tx, "new")] == [fourth]


def test_attempts_are_counted_and_ambiguous_ones_apart(tx: Transaction) -> None:
    outbox_id = put(tx)
    tries = [Attempted(outbox_id=outbox_id, is_ambiguous=kind) for kind in (False, True, True)]
    outbox.mark(tx, tries, epoch=EPOCH, now=NOW)
    [row] = claim(tx)
    assert (row.attempts, row.attempts_ambiguous) == (3, 2)
    assert outbox.ambiguous_count(tx) == 2


def test_what_has_ended_stays_ended(tx: Transaction) -> None:
    outbox_id = put(tx)
    outbox.mark(tx, [Sent(outbox_id=outbox_id, message_id=MessageId(5))], epoch=EPOCH, now=NOW)
    outbox.mark(tx, [Failed(outbox_id=outbox_id, detail="late")], epoch=EPOCH, now=NOW)
    state = tx.execute("SELECT state, message_id, detail FROM outbox").one()
    assert state == ("sent", 5, None)


def test_a_row_knows_the_message_last_sent_in_its_slot_and_chat(tx: Transaction) -> None:
    sent = [
        (put(tx, in_slot("menu")), 10),
        (put(tx, in_slot("menu")), 11),
        (put(tx, in_slot("job")), 12),
        (put(tx, in_slot("menu"), chat_id=5), 13),
    ]
    skipped = put(tx, in_slot("menu"))
    claim(tx)
    outcomes: list[outbox.Outcome] = [
        Sent(outbox_id=outbox_id, message_id=MessageId(message)) for outbox_id, message in sent
    ]
    outcomes.append(Skipped(outbox_id=skipped))
    outbox.mark(tx, outcomes, epoch=EPOCH, now=NOW)
    for slot in ("menu", "job", "new"):
        put(tx, in_slot(slot))
    put(tx, TOAST)
    assert [row.slot_message_id for row in claim(tx)] == [11, 12, None, None]


def test_the_depth_tells_how_many_wait_and_how_long(tx: Transaction) -> None:
    assert outbox.depth(tx, now=NOW) == outbox.OutboxDepth(pending=0, oldest_age_s=0.0)
    put(tx)
    outbox_id = put(tx)
    outbox.mark(tx, [Skipped(outbox_id=outbox_id)], epoch=EPOCH, now=NOW)
    assert outbox.depth(tx, now=later(90)) == outbox.OutboxDepth(pending=1, oldest_age_s=90.0)


def test_a_claim_whose_answer_was_lost_is_made_again(tx: Transaction) -> None:
    ids = [put(tx) for _ in range(3)]
    assert [row.outbox_id for row in claim(tx, limit=2, claim_no=1)] == ids[:2]
    # The second claim was committed, and the connection broke before its answer came.
    claim(tx, claim_no=2)
    ids.append(put(tx))
    assert [row.outbox_id for row in claim(tx, claim_no=2)] == ids[2:]
    assert claim(tx, claim_no=3) == []


def test_pruning_forgets_only_what_ended_long_ago_in_slices(tx: Transaction) -> None:
    ids = [put(tx) for _ in range(4)]
    for number, outbox_id in enumerate(ids[:3]):
        at = later(-100 + number)
        outbox.mark(tx, [Sent(outbox_id=outbox_id, message_id=None)], epoch=EPOCH, now=at)

    def left() -> list[int]:
        rows = tx.execute("SELECT outbox_id FROM outbox ORDER BY outbox_id")
        return [outbox_id for (outbox_id,) in rows]

    assert outbox.prune(tx, shard=OTHER_SHARD, before=later(-98), limit=9) == 0
    assert outbox.prune(tx, shard=SHARD, before=later(-98), limit=1) == 1
    assert left() == ids[1:]
    assert outbox.prune(tx, shard=SHARD, before=later(-98), limit=9) == 1
    assert left() == ids[2:]


def test_the_parts_of_a_result_are_counted_by_what_became_of_them(tx: Transaction) -> None:
    parts = [put(tx, result_of(f"u{number}")) for number in range(5)]
    put(tx)  # what else is said about the job does not count
    assert outbox.results_of(tx, JobId("j")) == Results(pending=5, sent=0, left=0, lost=0)
    outcomes: list[Outcome] = [
        Sent(outbox_id=parts[0], message_id=None),
        Failed(outbox_id=parts[1], detail=""),
        Skipped(outbox_id=parts[2]),
        Left(outbox_id=parts[3], detail="tried for too long"),
    ]
    outbox.mark(tx, outcomes, epoch=EPOCH, now=NOW)
    assert outbox.results_of(tx, JobId("j")) == Results(pending=1, sent=1, left=1, lost=1)
    assert outbox.results_of(tx, JobId("other")) == Results(pending=0, sent=0, left=0, lost=0)


def test_a_file_that_is_sent_once_more_counts_by_its_best(tx: Transaction) -> None:
    def after(*tries: Outcome | None) -> Results:
        """Return what has become of two files, of which the second was left, after such tries."""
        tx.execute("DELETE FROM outbox")
        both = put(tx, result_of("a", "b"))
        apart = [put(tx, result_of("a")), put(tx, result_of("b"))]
        end: list[Outcome] = [
            Skipped(outbox_id=both),
            Sent(outbox_id=apart[0], message_id=None),
            Left(outbox_id=apart[1], detail=""),
        ]
        outbox.mark(tx, end, epoch=EPOCH, now=NOW)
        for outcome in tries:
            again = put(tx, result_of("a", "b"))
            if outcome is not None:
                outbox.mark(tx, [evolve(outcome, outbox_id=again)], epoch=EPOCH, now=NOW)
        return outbox.results_of(tx, JobId("j"))

    anyone = OutboxId(0)
    left = Left(outbox_id=anyone, detail="")
    assert after() == Results(pending=0, sent=1, left=1, lost=0)
    assert after(None) == Results(pending=2, sent=0, left=0, lost=0)
    assert after(left) == Results(pending=0, sent=1, left=1, lost=0)
    assert after(left, Failed(outbox_id=anyone, detail="")) == Results(
        pending=0, sent=1, left=0, lost=1
    )
    sent = Sent(outbox_id=anyone, message_id=None)
    assert after(sent, left) == Results(pending=0, sent=2, left=0, lost=0)


def test_a_preview_that_arrived_is_not_its_original(tx: Transaction) -> None:
    preview, original = put(tx, result_of("a")), put(tx, result_of("a", is_original=True))
    ends: list[Outcome] = [
        Sent(outbox_id=preview, message_id=None),
        Left(outbox_id=original, detail=""),
    ]
    outbox.mark(tx, ends, epoch=EPOCH, now=NOW)
    assert outbox.results_of(tx, JobId("j")) == Results(pending=0, sent=1, left=1, lost=0)


def result_of(*urls: str, is_original: bool = False) -> SendResult:
    return SendResult(
        job_id=JobId("j"),
        output=OutputKind.IMAGE,
        urls=urls,
        caption="",
        is_original=is_original,
    )
