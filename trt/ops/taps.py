"""The recent taps of one user and what became of each: where a complaint begins."""

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from trt.domain.ids import Cid, UserId
from trt.ops.story import outcome_of
from trt.ops.story_rows import (
    InboxTrace,
    JobTrace,
    OutboxTrace,
    cids_of_user,
    inbox_of,
    jobs_of,
    outbox_of,
)
from trt.storage.database import Transaction

TAPS_MAX = 50


@frozen(kw_only=True)
class Tap:
    """One tap, in one line."""

    cid: Cid
    at: datetime
    what: str
    """What kind of update it was, or which model was ordered."""
    outcome: str


def taps_of_user(
    tx: Transaction, user_id: UserId, *, since: datetime, limit: int = TAPS_MAX
) -> tuple[Tap, ...]:
    """Return the last taps of a user since a time, newest first.

    Args:
        tx: A running transaction; it only reads.
        user_id: Telegram's number.
        since: How far to look back.
        limit: How many at most.
    """
    cids = cids_of_user(tx, user_id, since=since, limit=limit)
    if not cids:
        return ()
    inbox, jobs, outbox = inbox_of(tx, cids), jobs_of(tx, cids), outbox_of(tx, cids)
    return tuple(
        _tap(
            cid,
            [row for row in inbox if row.cid == cid],
            [row for row in jobs if row.cid == cid],
            [row for row in outbox if row.cid == cid],
        )
        for cid in cids
    )


def _tap(
    cid: Cid,
    inbox: Sequence[InboxTrace],
    jobs: Sequence[JobTrace],
    outbox: Sequence[OutboxTrace],
) -> Tap:
    ordered = ", ".join(job.model_id for job in jobs)
    came = ", ".join(row.kind for row in inbox)
    return Tap(
        cid=cid,
        at=min([row.received_at for row in inbox] + [job.created_at for job in jobs]),
        what=ordered or came,
        outcome=outcome_of(inbox, jobs, outbox),
    )
