"""What is kept of taps, without what users wrote: the columns that a story is told from."""

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from trt.domain.ids import Cid, UpdateId, UserId
from trt.domain.ledger import Code
from trt.domain.payments import PaymentKey
from trt.storage import app_events
from trt.storage.app_events import AppEvent
from trt.storage.database import Row, Rows, Transaction
from trt.storage.timestamps import from_unix, from_unix_or_none, to_unix


@frozen(kw_only=True)
class InboxTrace:
    """An update as it came and ended."""

    cid: Cid
    user_id: UserId
    update_id: UpdateId
    kind: str
    shard: int
    state: str
    reason: str | None
    attempts: int
    epoch: int | None
    received_at: datetime
    finished_at: datetime | None


@frozen(kw_only=True)
class JobTrace:
    """A job as it stands; the states in between are in the events."""

    cid: Cid
    user_id: UserId
    job_id: str
    model_id: str
    price_kopecks: int
    state: str
    reason: str | None
    attempt: int
    task_id: str | None
    epoch: int
    created_at: datetime
    submitted_at: datetime | None
    called_back_at: datetime | None
    ready_at: datetime | None
    credits_expected: str | None
    credits_consumed: str | None
    updated_at: datetime


@frozen(kw_only=True)
class AttemptTrace:
    """A call of createTask."""

    job_id: str
    attempt: int
    epoch: int
    began_at: datetime
    ended_at: datetime | None
    outcome: str | None
    task_id: str | None


@frozen(kw_only=True)
class TransferTrace:
    """A movement of money."""

    kind: str
    code: str
    amount_kopecks: int
    job_id: str | None
    at: datetime


@frozen(kw_only=True)
class PaymentTrace:
    """A payment made elsewhere, as it stands."""

    key: PaymentKey
    amount_kopecks: int
    stars: int | None
    state: str
    created_at: datetime
    updated_at: datetime


@frozen(kw_only=True)
class ActionTrace:
    """What an operator did with a user's money, and why: the operator's own words."""

    admin: str
    kind: str
    user_id: UserId
    amount_kopecks: int
    subject: str
    reason: str
    at: datetime


@frozen(kw_only=True)
class OutboxTrace:
    """A reply as it was queued and ended."""

    cid: Cid
    outbox_id: int
    kind: str
    state: str
    attempts: int
    created_at: datetime
    finished_at: datetime | None


@frozen(kw_only=True)
class Traces:
    """Everything that is kept under one correlation id."""

    inbox: Sequence[InboxTrace] = ()
    events: Sequence[AppEvent] = ()
    jobs: Sequence[JobTrace] = ()
    attempts: Sequence[AttemptTrace] = ()
    transfers: Sequence[TransferTrace] = ()
    payments: Sequence[PaymentTrace] = ()
    actions: Sequence[ActionTrace] = ()
    outbox: Sequence[OutboxTrace] = ()

    @property
    def user_id(self) -> UserId | None:
        """Whose tap it was, as far as anything kept says so."""
        ids = [row.user_id for row in self.inbox] + [job.user_id for job in self.jobs]
        ids += [event.user_id for event in self.events if event.user_id is not None]
        return ids[0] if ids else None


def traces_of(tx: Transaction, cid: Cid) -> Traces:
    """Return everything that is kept under a correlation id."""
    return Traces(
        inbox=inbox_of(tx, [cid]),
        events=app_events.of_cid(tx, cid),
        jobs=jobs_of(tx, [cid]),
        attempts=_attempts_of(tx, [cid]),
        transfers=transfers_of(tx, [cid]),
        payments=_payments_of(tx, cid),
        actions=_actions_of(tx, cid),
        outbox=outbox_of(tx, [cid]),
    )


def cids_of_user(tx: Transaction, user_id: UserId, *, since: datetime, limit: int) -> list[Cid]:
    """Return the last taps of a user since a time, newest first."""
    rows = tx.execute(
        """
        SELECT cid, max(at) AS last_at FROM (
          SELECT cid, received_at AS at FROM inbox
          WHERE user_id = :user_id AND received_at >= :since
          UNION ALL
          SELECT cid, created_at FROM jobs WHERE user_id = :user_id AND created_at >= :since
        ) AS taps
        GROUP BY cid ORDER BY last_at DESC, cid LIMIT :limit
        """,
        {"user_id": user_id, "since": to_unix(since), "limit": limit},
    )
    return [Cid(cid) for cid, _ in rows]


def inbox_of(tx: Transaction, cids: Sequence[Cid]) -> list[InboxTrace]:
    """Return the updates of some taps, oldest first."""
    rows = _of_cids(
        tx,
        """
        SELECT cid, user_id, update_id, kind, shard, state, reason, attempts, epoch, received_at,
               finished_at
        FROM inbox WHERE cid IN (cids) ORDER BY received_at, kind = 'sent_on', update_id
        """,
        cids,
    )
    return [_update(row) for row in rows]


def jobs_of(tx: Transaction, cids: Sequence[Cid]) -> list[JobTrace]:
    """Return the jobs of some taps, oldest first, each with its callback.

    A callback is kept by its job alone: whoever stores it need not find the job. Only the first is
    kept; that KIE called again is in the events.
    """
    rows = _of_cids(
        tx,
        """
        SELECT jobs.cid, jobs.user_id, jobs.job_id, jobs.model_id, jobs.price_kopecks, jobs.state,
               jobs.reason, jobs.attempt, jobs.task_id, jobs.epoch, jobs.created_at,
               jobs.submitted_at, kie_callbacks.received_at, jobs.ready_at,
               jobs.credits_expected, jobs.credits_consumed, jobs.updated_at
        FROM jobs LEFT JOIN kie_callbacks ON kie_callbacks.job_id = jobs.job_id
        WHERE jobs.cid IN (cids) ORDER BY jobs.created_at, jobs.job_id
        """,
        cids,
    )
    return [_job(row) for row in rows]


def _attempts_of(tx: Transaction, cids: Sequence[Cid]) -> list[AttemptTrace]:
    rows = _of_cids(
        tx,
        """
        SELECT job_id, attempt, epoch, began_at, ended_at, outcome, task_id FROM job_attempts
        WHERE cid IN (cids) ORDER BY began_at, job_id, attempt
        """,
        cids,
    )
    return [
        AttemptTrace(
            job_id=job_id,
            attempt=attempt,
            epoch=epoch,
            began_at=from_unix(began_at),
            ended_at=from_unix_or_none(ended_at),
            outcome=outcome,
            task_id=task_id,
        )
        for job_id, attempt, epoch, began_at, ended_at, outcome, task_id in rows
    ]


def transfers_of(tx: Transaction, cids: Sequence[Cid]) -> list[TransferTrace]:
    """Return the movements of money of some taps, oldest first."""
    rows = _of_cids(
        tx,
        """
        SELECT kind, code, amount_kopecks, job_id, created_at FROM transfers
        WHERE cid IN (cids) ORDER BY transfer_no
        """,
        cids,
    )
    return [
        TransferTrace(kind=kind, code=code, amount_kopecks=amount, job_id=job_id, at=from_unix(at))
        for kind, code, amount, job_id, at in rows
    ]


def _payments_of(tx: Transaction, cid: Cid) -> list[PaymentTrace]:
    """Return what was paid by a tap; found by its transfer, for payments have no index of cids."""
    rows = tx.execute(
        """
        SELECT payments.source, payments.external_id, payments.amount_kopecks, payments.stars,
               payments.state, payments.created_at, payments.updated_at
        FROM transfers JOIN payments ON payments.source = transfers.external_source
          AND payments.external_id = transfers.external_id
        WHERE transfers.cid = :cid AND transfers.code = :code ORDER BY transfers.transfer_no
        """,
        {"cid": cid, "code": Code.PAYMENT},
    )
    return [
        PaymentTrace(
            key=PaymentKey(source, external_id),
            amount_kopecks=amount_kopecks,
            stars=stars,
            state=state,
            created_at=from_unix(created_at),
            updated_at=from_unix(updated_at),
        )
        for source, external_id, amount_kopecks, stars, state, created_at, updated_at in rows
    ]


def _actions_of(tx: Transaction, cid: Cid) -> list[ActionTrace]:
    """Return what an operator did under a cid; found by whose money it was, or who was told."""
    rows = tx.execute(
        """
        SELECT admin, kind, user_id, amount_kopecks, subject, reason, at FROM admin_actions
        WHERE cid = :cid AND user_id IN (
          SELECT debit_account_id FROM transfers WHERE cid = :cid
          UNION SELECT credit_account_id FROM transfers WHERE cid = :cid
          UNION SELECT chat_id FROM outbox WHERE cid = :cid)
        ORDER BY at, action_id
        """,
        {"cid": cid},
    )
    return [
        ActionTrace(
            admin=admin,
            kind=kind,
            user_id=user_id,
            amount_kopecks=amount_kopecks,
            subject=subject,
            reason=reason,
            at=from_unix(at),
        )
        for admin, kind, user_id, amount_kopecks, subject, reason, at in rows
    ]


def outbox_of(tx: Transaction, cids: Sequence[Cid]) -> list[OutboxTrace]:
    """Return the replies of some taps, oldest first."""
    rows = _of_cids(
        tx,
        """
        SELECT cid, outbox_id, kind, state, attempts, created_at, finished_at FROM outbox
        WHERE cid IN (cids) ORDER BY outbox_id
        """,
        cids,
    )
    return [
        OutboxTrace(
            cid=cid,
            outbox_id=outbox_id,
            kind=kind,
            state=state,
            attempts=attempts,
            created_at=from_unix(created_at),
            finished_at=from_unix_or_none(finished_at),
        )
        for cid, outbox_id, kind, state, attempts, created_at, finished_at in rows
    ]


def _of_cids(tx: Transaction, sql: str, cids: Sequence[Cid]) -> Rows:
    """Run a statement in which `(cids)` stands for a list of them."""
    marks = ", ".join("?" * len(cids))
    return tx.execute(sql.replace("(cids)", f"({marks})"), list(cids))


def _update(row: Row) -> InboxTrace:
    cid, user_id, update_id, kind, shard, state, reason, attempts, epoch = row[:9]
    received_at, finished_at = row[9:]
    return InboxTrace(
        cid=cid,
        user_id=user_id,
        update_id=update_id,
        kind=kind,
        shard=shard,
        state=state,
        reason=reason,
        attempts=attempts,
        epoch=epoch,
        received_at=from_unix(received_at),
        finished_at=from_unix_or_none(finished_at),
    )


def _job(row: Row) -> JobTrace:
    cid, user_id, job_id, model_id, price_kopecks, state, reason, attempt, task_id, epoch = row[:10]
    created_at, submitted_at, called_back_at, ready_at, expected, consumed, updated_at = row[10:]
    return JobTrace(
        cid=cid,
        user_id=user_id,
        job_id=job_id,
        model_id=model_id,
        price_kopecks=price_kopecks,
        state=state,
        reason=reason,
        attempt=attempt,
        task_id=task_id,
        epoch=epoch,
        created_at=from_unix(created_at),
        submitted_at=from_unix_or_none(submitted_at),
        called_back_at=from_unix_or_none(called_back_at),
        ready_at=from_unix_or_none(ready_at),
        credits_expected=expected,
        credits_consumed=consumed,
        updated_at=from_unix(updated_at),
    )
