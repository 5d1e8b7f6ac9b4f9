"""What the database says after a round of `trt bench failover`: portable SQL, read only."""

from collections import Counter
from collections.abc import Mapping, Sequence

from attrs import Factory, frozen

from trt.bench.failover_traffic import Post
from trt.bench.failover_updates import ANSWER, BUYER_ID_FIRST, SCREEN
from trt.storage import books
from trt.storage.database import Row, Transaction

ANSWER_WITHIN_S = 1.0
"""How long after the 200 an acknowledged tap may turn its spinner."""
LISTED_MAX = 5
"""So many of a kind of problem are named; the others are counted."""


DELIVERED: Row = ("delivered", 1, 0, 1)
"""How an order may end: its state, charges, refunds and results."""
REFUNDED: Row = ("failed", 0, 1, 0)


@frozen(kw_only=True)
class Kept:
    """What became of one update in the database."""

    state: str
    replies: Mapping[str, int]
    """Outbox rows by kind, without those of a job that it started."""


@frozen(kw_only=True)
class Accounts:
    """A round, accounted for; everything but the first figure should be zero or empty."""

    updates: int
    """Acknowledged ones; all posted ones, once the round has settled."""
    lost: int
    """Acknowledged updates that were not handled, or only partly, and taps never answered."""
    twice: int
    """Updates and orders with more effects than one handling has."""
    late_callbacks: int
    """Acknowledged taps whose answer took longer than a second."""
    problems: tuple[str, ...]
    """What was lost or done twice, in words, and what the audit of the money found."""
    late: tuple[str, ...]
    """Which taps were late; a matter of how quick the machine is as well."""
    is_balanced: bool


def unfinished(tx: Transaction) -> int:
    """Count what is still under way: updates, jobs and replies."""
    [updates] = tx.execute("SELECT count(*) FROM inbox WHERE state = 'new'").one()
    [jobs] = tx.execute(
        "SELECT count(*) FROM jobs WHERE state NOT IN ('delivered', 'failed')"
    ).one()
    [replies] = tx.execute("SELECT count(*) FROM outbox WHERE state = 'pending'").one()
    return int(updates + jobs + replies)


def written_under(tx: Transaction, epoch: int) -> frozenset[Row]:
    """Name the rows last written under this epoch: once it is over, none may join them.

    Whoever holds the lease now takes rows out of them, so their number says nothing.
    """
    return frozenset(
        tx.execute(
            """
            SELECT 'inbox', CAST(update_id AS TEXT) FROM inbox WHERE epoch = :epoch
            UNION ALL SELECT 'outbox', CAST(outbox_id AS TEXT) FROM outbox WHERE epoch = :epoch
            UNION ALL SELECT 'job', job_id FROM jobs WHERE epoch = :epoch
            UNION ALL SELECT 'session', CAST(user_id AS TEXT) FROM sessions WHERE epoch = :epoch
            UNION ALL SELECT 'transfer', transfer_id FROM transfers WHERE epoch = :epoch
            """,
            {"epoch": epoch},
        )
    )


def account(tx: Transaction, posts: Sequence[Post], answered_s: Mapping[str, float]) -> Accounts:
    """Account for every update of a round.

    Args:
        tx: Any transaction.
        posts: What was posted.
        answered_s: When the answer to each tap arrived at Telegram.
    """
    kept = _kept(tx, min((post.update.update_id for post in posts), default=0))
    problems: list[str] = []
    lost = _Problems("lost")
    twice = _Problems("twice")
    late = _Problems("late")
    for post in posts:
        update = post.update
        row = kept.get(update.update_id)
        if row is None or row.state != "done":
            lost.add(f"{update.update_id} {'absent' if row is None else row.state}")
            continue
        for kind in (SCREEN, ANSWER):
            made, due = row.replies.get(kind, 0), update.replies.get(kind, 0)
            (twice if made > due else lost).add_if(
                f"{update.update_id} {kind} {made} instead of {due}", is_so=made != due
            )
        _judge_answer(post, answered_s, lost, late)
    _account_orders(tx, {p.update.user_id for p in posts if p.update.starts_job}, lost, twice)
    audit = books.audit(tx)
    problems += [*lost.listed(), *twice.listed(), *audit.problems]
    return Accounts(
        updates=sum(post.acked_s is not None for post in posts),
        lost=len(lost.found),
        twice=len(twice.found),
        late_callbacks=len(late.found),
        problems=tuple(problems),
        late=tuple(late.listed()),
        is_balanced=audit.is_balanced,
    )


@frozen
class _Problems:
    """Problems of one kind."""

    kind: str
    found: list[str] = Factory(list)

    def add(self, what: str) -> None:
        self.found.append(what)

    def add_if(self, what: str, *, is_so: bool) -> None:
        if is_so:
            self.add(what)

    def listed(self) -> list[str]:
        return [f"{self.kind}: {what}" for what in self.found[:LISTED_MAX]]


def _judge_answer(
    post: Post, answered_s: Mapping[str, float], lost: "_Problems", late: "_Problems"
) -> None:
    if post.update.callback_id is None or post.acked_s is None:
        return
    answered_at_s = answered_s.get(post.update.callback_id)
    if answered_at_s is None:
        lost.add(f"{post.update.update_id} never answered")
        return
    took_s = answered_at_s - post.acked_s
    late.add_if(
        f"{post.update.update_id} answered after {took_s:.2f} s", is_so=took_s > ANSWER_WITHIN_S
    )


def _kept(tx: Transaction, first_id: int) -> dict[int, Kept]:
    rows = tx.execute(
        """
        SELECT inbox.update_id, inbox.state, outbox.kind, count(outbox.outbox_id)
        FROM inbox LEFT JOIN outbox ON outbox.cid = inbox.cid AND outbox.job_id IS NULL
        WHERE inbox.update_id >= :first_id
        GROUP BY inbox.update_id, inbox.state, outbox.kind
        """,
        {"first_id": first_id},
    )
    states: dict[int, str] = {}
    replies: dict[int, Counter[str]] = {}
    for update_id, state, kind, number in rows:
        states[update_id] = state
        replies.setdefault(update_id, Counter())[kind] += number
    return {one: Kept(state=states[one], replies=replies[one]) for one in states}


def _account_orders(tx: Transaction, buyers: set[int], lost: _Problems, twice: _Problems) -> None:
    """One job for each buyer of the round: delivered and charged, or failed and refunded."""
    rows = tx.execute(
        """
        SELECT jobs.user_id, jobs.state,
          (SELECT count(*) FROM transfers WHERE job_id = jobs.job_id AND kind = 'post'),
          (SELECT count(*) FROM transfers WHERE job_id = jobs.job_id AND kind = 'void'),
          (SELECT count(*) FROM outbox WHERE job_id = jobs.job_id AND kind = 'send_result')
        FROM jobs WHERE jobs.user_id >= :first ORDER BY jobs.user_id
        """,
        {"first": BUYER_ID_FIRST},
    )
    fates: dict[int, list[Row]] = {}
    for buyer, *fate in rows:
        fates.setdefault(buyer, []).append(tuple(fate))
    for buyer in sorted(buyers):
        found = fates.get(buyer, [])
        if found in ([DELIVERED], [REFUNDED]):
            continue
        is_too_much = len(found) > 1 or any(
            max(fate[1:]) > 1 or fate[1] + fate[2] > 1 for fate in found
        )
        (twice if is_too_much else lost).add(f"order of {buyer}: {found}")
