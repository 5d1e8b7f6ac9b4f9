"""The outbox: what is to be said to users, written with the decision to say it."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NewType, assert_never

import msgspec
from attrs import frozen

from trt.domain.ids import ChatId, Cid, JobId, MessageId, Shard
from trt.domain.replies import (
    AnswerCallback,
    PassOnFile,
    Reply,
    SendInvoice,
    SendResult,
    ShowScreen,
)
from trt.storage.database import Row, Transaction
from trt.storage.timestamps import from_unix, to_unix

OutboxId = NewType("OutboxId", int)

_DECODERS: dict[str, msgspec.json.Decoder[Reply]] = {
    "show_screen": msgspec.json.Decoder(ShowScreen),
    "answer_callback": msgspec.json.Decoder(AnswerCallback),
    "send_result": msgspec.json.Decoder(SendResult),
    "send_invoice": msgspec.json.Decoder(SendInvoice),
    "pass_on_file": msgspec.json.Decoder(PassOnFile),
}


@frozen(kw_only=True)
class UnreadableReply:
    """The row was written by other code, such as a newer release that was rolled back."""

    is_result: bool


@frozen(kw_only=True)
class OutboxRow:
    """One reply that waits to be sent."""

    outbox_id: OutboxId
    chat_id: ChatId
    reply: Reply | UnreadableReply
    cid: Cid
    job_id: JobId | None
    created_at: datetime
    attempts: int
    """How often somebody tried before, also in an earlier life of the sender."""
    attempts_ambiguous: int
    """After how many of them Telegram may have taken it all the same."""
    slot_message_id: MessageId | None
    """The message last sent in this chat for the reply's slot, as of the claim. The sender itself
    knows better about rows of the same slot that it sent since."""


@frozen(kw_only=True)
class Sent:
    """Telegram has it; the message's id is None for what makes no message."""

    outbox_id: OutboxId
    message_id: MessageId | None


@frozen(kw_only=True)
class Failed:
    """It will never be sent; `detail` is for the operator and holds no secret."""

    outbox_id: OutboxId
    detail: str


@frozen(kw_only=True)
class Left:
    """A part of a result that is not tried any more, and that the user may still ask for."""

    outbox_id: OutboxId
    detail: str
    """For the operator, as of what failed."""


@frozen(kw_only=True)
class Skipped:
    """A newer reply of the same slot made it needless."""

    outbox_id: OutboxId


@frozen(kw_only=True)
class Attempted:
    """One try ended without an answer to count on; the row stays unsent."""

    outbox_id: OutboxId
    is_ambiguous: bool
    """Whether Telegram may have taken it all the same."""


Outcome = Sent | Failed | Left | Skipped | Attempted

_LEFT = "left: "
"""How the detail of a failed row begins that was left to be asked for."""


@frozen(kw_only=True)
class OutboxDepth:
    """How much waits to be sent."""

    pending: int
    oldest_age_s: float
    """Zero when nothing waits."""


def put(  # noqa: PLR0913 - the columns of a reply
    tx: Transaction,
    *,
    shard: Shard,
    chat_id: ChatId,
    reply: Reply,
    cid: Cid,
    job_id: JobId | None,
    epoch: int,
    now: datetime,
) -> OutboxId:
    """Queue a reply behind the others of its chat and return its number."""
    [outbox_id] = tx.execute(
        """
        INSERT INTO outbox (shard, chat_id, kind, reply, slot, cid, job_id, epoch, created_at)
        VALUES (:shard, :chat_id, :kind, :reply, :slot, :cid, :job_id, :epoch, :now)
        RETURNING outbox_id
        """,
        {
            "shard": shard,
            "chat_id": chat_id,
            "kind": _kind(reply),
            "reply": msgspec.json.encode(reply).decode(),
            "slot": reply.slot if isinstance(reply, ShowScreen) else None,
            "cid": cid,
            "job_id": job_id,
            "epoch": epoch,
            "now": to_unix(now),
        },
    ).one()
    return OutboxId(outbox_id)


def claim(
    tx: Transaction, *, shard: Shard, claimant: str, claim_no: int, limit: int, epoch: int
) -> list[OutboxRow]:
    """Hand over unsent replies that this claimant does not have yet, in the order of their numbers.

    The claimant keeps them in memory until it marks them. A new incarnation of the sender uses a
    new name, and so is handed everything that the old one left unsent.

    Args:
        tx: A transaction of the active branch, fenced by its lease.
        shard: Whose replies.
        claimant: This incarnation of the sender.
        claim_no: Counts its claims. One whose answer was lost, though it was committed, is made
            again under the same number: then what it took is handed over again.
        limit: How many at most.
        epoch: The lease's.
    """
    rows = tx.execute(
        """
        UPDATE outbox SET claimant = :claimant, claim_no = :claim_no, epoch = :epoch
        WHERE outbox_id IN (
          SELECT outbox_id FROM outbox
          WHERE shard = :shard AND state = 'pending'
            AND (claimant IS NULL OR claimant <> :claimant OR claim_no = :claim_no)
          ORDER BY outbox_id LIMIT :limit)
        RETURNING outbox_id, chat_id, kind, reply, cid, job_id, created_at, attempts,
          attempts_ambiguous, (
          SELECT earlier.message_id FROM outbox AS earlier
          WHERE earlier.chat_id = outbox.chat_id AND earlier.slot = outbox.slot
            AND earlier.message_id IS NOT NULL
          ORDER BY earlier.outbox_id DESC LIMIT 1)
        """,
        {
            "shard": shard,
            "claimant": claimant,
            "claim_no": claim_no,
            "limit": limit,
            "epoch": epoch,
        },
    )
    # RETURNING promises no order.
    return [_outbox_row(row) for row in sorted(rows, key=lambda row: int(row[0]))]


def answers_waiting(
    tx: Transaction, *, shard: Shard, limit: int
) -> list[tuple[AnswerCallback, Cid]]:
    """Return at most `limit` unsent answers to taps, the newest first; nothing is claimed."""
    rows = tx.execute(
        """
        SELECT reply, cid FROM outbox
        WHERE shard = :shard AND state = 'pending' AND kind = 'answer_callback'
        ORDER BY outbox_id DESC LIMIT :limit
        """,
        {"shard": shard, "limit": limit},
    )
    replies = [(_reply("answer_callback", text), Cid(cid)) for text, cid in rows]
    return [(reply, cid) for reply, cid in replies if isinstance(reply, AnswerCallback)]


def mark(tx: Transaction, outcomes: Sequence[Outcome], *, epoch: int, now: datetime) -> None:
    """Write down how tries to send ended; a row that has already ended stays as it is."""
    for outcome in outcomes:
        match outcome:
            case Sent(outbox_id=outbox_id, message_id=message_id):
                _end(tx, outbox_id, "sent", epoch=epoch, now=now, message_id=message_id)
            case Failed(outbox_id=outbox_id, detail=detail):
                _end(tx, outbox_id, "failed", epoch=epoch, now=now, detail=detail)
            case Left(outbox_id=outbox_id, detail=detail):
                _end(tx, outbox_id, "failed", epoch=epoch, now=now, detail=_LEFT + detail)
            case Skipped(outbox_id=outbox_id):
                _end(tx, outbox_id, "skipped", epoch=epoch, now=now)
            case Attempted():
                _count(tx, outcome, epoch=epoch)
            case _:
                assert_never(outcome)


@frozen(kw_only=True)
class Results:
    """The files of a job's result by what became of them; a preview and its original are two."""

    pending: int
    sent: int
    left: int
    """Not sent for long: the user may ask for them."""
    lost: int
    """Never to be sent."""


def results_of(tx: Transaction, job_id: JobId) -> Results:
    """Return what became of the files of a job's result.

    A file may be sent several times: what waits counts first, then what arrived, then the last try.
    """
    rows = tx.execute(
        """
        SELECT outbox_id, reply,
               CASE WHEN state = 'failed' AND detail LIKE :left THEN 'left' ELSE state END
        FROM outbox WHERE job_id = :job_id AND kind = 'send_result' AND state <> 'skipped'
        ORDER BY outbox_id
        """,
        {"job_id": job_id, "left": f"{_LEFT}%"},
    )
    fates: dict[tuple[str, bool], str] = {}
    for outbox_id, text, state in rows:
        for file in _files(OutboxId(outbox_id), _reply("send_result", text)):
            if state == "pending" or fates.get(file) not in {"pending", "sent"}:
                fates[file] = state
    count = Counter(fates.values())
    return Results(
        pending=count["pending"], sent=count["sent"], left=count["left"], lost=count["failed"]
    )


def _files(outbox_id: OutboxId, reply: Reply | UnreadableReply) -> list[tuple[str, bool]]:
    """Name the files of a result; a row of other code is taken for one file of its own."""
    if isinstance(reply, SendResult):
        return [(url, reply.is_original) for url in reply.urls]
    return [(str(outbox_id), False)]


def depth(tx: Transaction, *, now: datetime) -> OutboxDepth:
    """Return how many replies wait and for how long the oldest has."""
    pending, oldest_at = tx.execute(
        "SELECT count(*), min(created_at) FROM outbox WHERE state = 'pending'"
    ).one()
    age_s = 0.0 if oldest_at is None else (now - from_unix(oldest_at)).total_seconds()
    return OutboxDepth(pending=pending, oldest_age_s=max(0.0, age_s))


def prune(tx: Transaction, *, shard: Shard, before: datetime, limit: int) -> int:
    """Forget at most `limit` replies that ended before a time, and return how many."""
    return tx.execute(
        """
        DELETE FROM outbox WHERE outbox_id IN (
          SELECT outbox_id FROM outbox
          WHERE state <> 'pending' AND finished_at < :before AND shard = :shard
          ORDER BY finished_at LIMIT :limit)
        """,
        {"shard": shard, "before": to_unix(before), "limit": limit},
    ).count


def ambiguous_count(tx: Transaction) -> int:
    """Return how many tries of replies still kept ended without anybody knowing how."""
    [count] = tx.execute("SELECT COALESCE(sum(attempts_ambiguous), 0) FROM outbox").one()
    return int(count)


def _end(
    tx: Transaction,
    outbox_id: OutboxId,
    state: str,
    *,
    epoch: int,
    now: datetime,
    message_id: MessageId | None = None,
    detail: str | None = None,
) -> None:
    tx.execute(
        """
        UPDATE outbox SET
          state = :state, epoch = :epoch, finished_at = :now,
          message_id = :message_id, detail = :detail
        WHERE outbox_id = :outbox_id AND state = 'pending'
        """,
        {
            "outbox_id": outbox_id,
            "state": state,
            "epoch": epoch,
            "now": to_unix(now),
            "message_id": message_id,
            "detail": detail,
        },
    )


def _count(tx: Transaction, attempt: Attempted, *, epoch: int) -> None:
    tx.execute(
        """
        UPDATE outbox SET
          attempts = attempts + 1,
          attempts_ambiguous = attempts_ambiguous + :ambiguous,
          epoch = :epoch
        WHERE outbox_id = :outbox_id AND state = 'pending'
        """,
        {
            "outbox_id": attempt.outbox_id,
            "ambiguous": int(attempt.is_ambiguous),
            "epoch": epoch,
        },
    )


def _kind(reply: Reply) -> str:
    match reply:
        case ShowScreen():
            return "show_screen"
        case AnswerCallback():
            return "answer_callback"
        case SendResult():
            return "send_result"
        case SendInvoice():
            return "send_invoice"
        case PassOnFile():
            return "pass_on_file"
        case _:
            assert_never(reply)


def _outbox_row(row: Row) -> OutboxRow:
    outbox_id, chat_id, kind, reply, cid, job_id, created_at = row[:7]
    attempts, attempts_ambiguous, slot_message_id = row[7:]
    return OutboxRow(
        outbox_id=outbox_id,
        chat_id=chat_id,
        reply=_reply(kind, reply),
        cid=cid,
        job_id=job_id,
        created_at=from_unix(created_at),
        attempts=attempts,
        attempts_ambiguous=attempts_ambiguous,
        slot_message_id=slot_message_id,
    )


def _reply(kind: str, text: str) -> Reply | UnreadableReply:
    try:
        return _DECODERS[kind].decode(text)
    except (KeyError, msgspec.DecodeError):
        return UnreadableReply(is_result=kind == "send_result")
