"""A tap that became a job, and moments to count from."""

from datetime import UTC, datetime, timedelta

from trt.domain.ids import (
    BotId,
    CallbackId,
    ChatId,
    Cid,
    DraftId,
    JobId,
    ModelId,
    Shard,
    TaskId,
    UpdateId,
    UserId,
)
from trt.domain.job import Job, JobState
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback, Screen, ScreenId, ShowScreen
from trt.storage import app_events, inbox, installation, jobs, kie_callbacks, ledger, outbox
from trt.storage.app_events import AppEvent
from trt.storage.database import Transaction
from trt.storage.inbox import InboxRow, InboxState
from trt.storage.outbox import Failed, Sent

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHARD = Shard(0)
BOT = BotId(99)
USER = UserId(1001)
CHAT = ChatId(1001)
CID = Cid("1a2b3c4d")
CANARY = "the-canary-sings"
"""What users write, and secrets: it must be on no page."""


def now() -> datetime:
    """The clock that stands still."""
    return NOW


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def inbox_row(update_id: int, *, cid: Cid = CID, at_s: float = 0.0) -> InboxRow:
    return InboxRow(
        bot_id=BOT,
        update_id=UpdateId(update_id),
        user_id=USER,
        chat_id=CHAT,
        kind="callback_query",
        callback_id=CallbackId(f"tap-{update_id}"),
        cid=cid,
        payload=CANARY.encode(),
        received_at=later(at_s),
        shard=SHARD,
    )


def new_job(*, cid: Cid = CID, at_s: float = 0.05) -> Job:
    return Job(
        job_id=JobId(cid * 4),
        user_id=USER,
        chat_id=CHAT,
        draft_id=DraftId(cid),
        model_id=ModelId("flux/dev"),
        params={"prompt": CANARY},
        price_kopecks=1404,
        language="ru",
        cid=cid,
        created_at=later(at_s),
        deadline_at=later(at_s + 600),
    )


def settle(tx: Transaction) -> None:
    """Make a user with ten thousand kopecks."""
    installation.settle(tx, shards=1)
    ledger.open_account(tx, USER, shard=SHARD)
    ledger.grant(
        tx,
        user_id=USER,
        amount_kopecks=10_000,
        purpose="welcome",
        cid=Cid("00000000"),
        epoch=1,
        now=later(-60),
    )


def play_delivered_job(tx: Transaction) -> None:
    """Do what one tap on a confirmation does, from the update to the delivery."""
    settle(tx)
    inbox.store(tx, [inbox_row(77)])
    event = {"handler": "confirm", "payload": CANARY, "detail": CANARY, "reason": CANARY}
    app_events.insert(
        tx,
        [
            AppEvent(
                at=later(0.02),
                level="info",
                event="CALLBACK_ROUTED",
                cid=CID,
                user_id=USER,
                payload=event,
            )
        ],
    )
    job = new_job()
    jobs.insert(tx, job, shard=SHARD, epoch=1)
    ledger.reserve(
        tx,
        user_id=USER,
        job_id=job.job_id,
        amount_kopecks=job.price_kopecks,
        cid=CID,
        epoch=1,
        now=later(0.05),
    )
    _finish(tx, 77, at_s=0.06)
    screen = Screen(screen_id=ScreenId.PROCESSING, text=CANARY)
    shown = _put(tx, ShowScreen(screen=screen, slot="status"), at_s=0.06)
    outbox.mark(tx, [Sent(outbox_id=shown, message_id=None)], epoch=1, now=later(0.2))
    for state, at_s in (
        (JobState.SUBMITTING, 0.3),
        (JobState.RUNNING, 0.9),
        (JobState.DELIVERING, 10.0),
        (JobState.DELIVERED, 12.3),
    ):
        moved = jobs.move(
            tx,
            job,
            state,
            epoch=1,
            now=later(at_s),
            task_id=TaskId("kie-task"),
            submitted_at=later(0.3),
            attempt=1,
        )
        assert moved is not None
        job = moved
    kie_callbacks.store(tx, job.job_id, TaskId("kie-task"), later(9.5))
    ledger.capture(tx, job.job_id, cid=CID, epoch=1, now=later(12.3))


def play_unanswered_tap(tx: Transaction, *, cid: Cid, at_s: float) -> None:
    """Handle a tap whose answer Telegram would not take."""
    update_id = int(at_s)
    inbox.store(tx, [inbox_row(update_id, cid=cid, at_s=at_s)])
    _finish(tx, update_id, at_s=at_s)
    answer = AnswerCallback(callback_id=CallbackId("tap"), text=CANARY)
    answered = outbox.put(
        tx,
        shard=SHARD,
        chat_id=CHAT,
        reply=answer,
        cid=cid,
        job_id=None,
        epoch=1,
        now=later(at_s),
    )
    failed = Failed(outbox_id=answered, detail=f"Bad Request: {CANARY}")
    outbox.mark(tx, [failed], epoch=1, now=later(at_s + 1))


def play_crashed_tap(tx: Transaction, *, cid: Cid, at_s: float) -> None:
    """Give a tap up."""
    update_id = int(at_s)
    inbox.store(tx, [inbox_row(update_id, cid=cid, at_s=at_s)])
    inbox.finish(
        tx,
        bot_id=BOT,
        update_id=UpdateId(update_id),
        state=InboxState.DEAD,
        reason=Reason.HANDLER_CRASHED,
        epoch=1,
        now=later(at_s + 1),
    )


def _finish(tx: Transaction, update_id: int, *, at_s: float) -> None:
    inbox.finish(
        tx,
        bot_id=BOT,
        update_id=UpdateId(update_id),
        state=InboxState.DONE,
        reason=Reason.SUCCESS,
        epoch=1,
        now=later(at_s),
    )


def _put(tx: Transaction, reply: ShowScreen, *, at_s: float) -> outbox.OutboxId:
    return outbox.put(
        tx,
        shard=SHARD,
        chat_id=CHAT,
        reply=reply,
        cid=CID,
        job_id=None,
        epoch=1,
        now=later(at_s),
    )
