"""What the database says after `trt bench chaos`: portable SQL, read only."""

from collections import Counter
from collections.abc import Mapping, Sequence

from attrs import frozen

from trt.storage import books, outbox
from trt.storage.database import Transaction


@frozen(kw_only=True)
class KeptJob:
    """One job and its money."""

    job_id: str
    user_id: int
    state: str
    reason: str | None
    task_id: str | None
    has_result: bool
    transfers: Mapping[str, int]
    """How many of each kind: pending is a reserve, post a charge, void a refund."""
    results_sent: int
    """By the word of the outbox."""
    creates_ambiguous: int
    """Calls of createTask of which nobody knows whether KIE took the order."""


@frozen(kw_only=True)
class Kept:
    """Everything that is judged."""

    jobs: Sequence[KeptJob]
    updates: Mapping[int, str]
    """The state of each in the inbox."""
    messages: frozenset[tuple[int, int]]
    """Every message that the outbox knows to be in a chat: chat and message."""
    sends_ambiguous: int
    """Of which the service says that nobody knows whether they arrived."""
    told_ambiguous: int
    """How many of them are in the diary, which is best effort."""
    unfinished: Mapping[str, int]
    """What is under way, by kind; only what there is."""
    book_problems: tuple[str, ...]


_UNFINISHED = {
    "updates": "SELECT count(*) FROM inbox WHERE state = 'new'",
    "jobs": "SELECT count(*) FROM jobs WHERE state NOT IN ('delivered', 'failed')",
    "replies": "SELECT count(*) FROM outbox WHERE state = 'pending'",
    "reserves": """
        SELECT count(*) FROM transfers AS reserve
        WHERE kind = 'pending' AND NOT EXISTS (
          SELECT 1 FROM transfers WHERE pending_id = reserve.transfer_id)
        """,
}


def unfinished(tx: Transaction) -> Mapping[str, int]:
    """Count what is still under way, by kind; what has ended is not named."""
    counted = {what: int(tx.execute(sql).one()[0]) for what, sql in _UNFINISHED.items()}
    return {what: number for what, number in counted.items() if number}


def ended_jobs(tx: Transaction) -> int:
    """Count the jobs that have ended."""
    [ended] = tx.execute("SELECT count(*) FROM jobs WHERE state IN ('delivered', 'failed')").one()
    return int(ended)


def read(tx: Transaction) -> Kept:
    """Read all of it."""
    [told] = tx.execute("SELECT count(*) FROM app_events WHERE event = 'MESSAGE_UNKNOWN'").one()
    messages = tx.execute("SELECT chat_id, message_id FROM outbox WHERE message_id IS NOT NULL")
    return Kept(
        jobs=_jobs(tx),
        updates=_updates(tx),
        messages=frozenset((chat_id, message_id) for chat_id, message_id in messages),
        sends_ambiguous=outbox.ambiguous_count(tx),
        told_ambiguous=int(told),
        unfinished=unfinished(tx),
        book_problems=books.audit(tx).problems,
    )


def _updates(tx: Transaction) -> Mapping[int, str]:
    rows = tx.execute("SELECT update_id, state FROM inbox")
    return {int(update_id): state for update_id, state in rows}


def _jobs(tx: Transaction) -> Sequence[KeptJob]:
    money: dict[str, Counter[str]] = {}
    for job_id, kind in tx.execute("SELECT job_id, kind FROM transfers WHERE job_id IS NOT NULL"):
        money.setdefault(job_id, Counter())[kind] += 1
    rows = tx.execute(
        """
        SELECT job_id, user_id, state, reason, task_id, result_urls,
          (SELECT count(*) FROM outbox
           WHERE outbox.job_id = jobs.job_id AND outbox.kind = 'send_result'
             AND outbox.state = 'sent'),
          (SELECT count(*) FROM job_attempts
           WHERE job_attempts.job_id = jobs.job_id AND outcome IN ('unknown', 'interrupted'))
        FROM jobs ORDER BY user_id, job_id
        """
    )
    return [
        KeptJob(
            job_id=job_id,
            user_id=user_id,
            state=state,
            reason=reason,
            task_id=task_id,
            has_result=urls != "[]",
            transfers=money.get(job_id, {}),
            results_sent=sent,
            creates_ambiguous=ambiguous,
        )
        for job_id, user_id, state, reason, task_id, urls, sent, ambiguous in rows
    ]
