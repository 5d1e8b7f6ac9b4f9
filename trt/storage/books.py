"""The audit of the books: everything is recomputed from the transfers."""

from attrs import frozen

from trt.domain.books import Books, PaymentFacts, problems_of
from trt.domain.ids import JobId, UserId
from trt.domain.job import JobState
from trt.domain.ledger import Account, AccountId, Transfer
from trt.domain.payments import PaymentKey, PaymentState
from trt.storage.database import Transaction
from trt.storage.transfers import account_of_row, transfer_of_row

USER_ID_MAX = 2**63 - 1


@frozen(kw_only=True)
class Audit:
    """What a look through the books found."""

    is_balanced: bool
    problems: tuple[str, ...]
    users: int = 0
    """Whose."""


def audit(tx: Transaction, *, after: int = 0, upto: int = USER_ID_MAX) -> Audit:
    """Recompute everything from the transfers and say what does not agree.

    Each transfer has one user's account on one of its sides, so the books of some users are whole.

    Args:
        tx: The transaction; it only reads.
        after: Only users with a greater id.
        upto: Only users with this id or a smaller one.
    """
    # One statement sees one moment, also while others write.
    rows = tx.execute(
        """
        SELECT 'account' AS what, 0 AS number, account_id, debits_pending, debits_posted,
               credits_pending, credits_posted, CAST(NULL AS TEXT) AS id, CAST(NULL AS TEXT),
               CAST(NULL AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS TEXT),
               CAST(NULL AS TEXT)
        FROM accounts WHERE kind = 'user' AND account_id > :after AND account_id <= :upto
        UNION ALL
        SELECT 'transfer', transfer_no, debit_account_id, credit_account_id, amount_kopecks, 0, 0,
               transfer_id, kind, code, pending_id, job_id, external_source, external_id
        FROM transfers WHERE debit_account_id > :after AND debit_account_id <= :upto
        UNION ALL
        SELECT 'transfer', transfer_no, debit_account_id, credit_account_id, amount_kopecks, 0, 0,
               transfer_id, kind, code, pending_id, job_id, external_source, external_id
        FROM transfers WHERE credit_account_id > :after AND credit_account_id <= :upto
        UNION ALL
        SELECT 'job', 0, 0, 0, 0, 0, 0, job_id, state, NULL, NULL, NULL, NULL, NULL
        FROM jobs WHERE user_id > :after AND user_id <= :upto
        UNION ALL
        SELECT 'payment', 0, user_id, amount_kopecks, 0, 0, 0, external_id, state, source,
               NULL, NULL, NULL, NULL
        FROM payments WHERE user_id > :after AND user_id <= :upto
        ORDER BY what, number, account_id, id
        """,
        {"after": after, "upto": upto},
    )
    accounts: dict[AccountId, Account] = {}
    transfers: list[Transfer] = []
    jobs: dict[JobId, JobState] = {}
    payments: dict[PaymentKey, PaymentFacts] = {}
    for what, _, *numbers, text_id, kind, code, pending_id, job_id, source, number in rows:
        match what:
            case "account":
                accounts[AccountId(numbers[0])] = account_of_row(tuple(numbers[1:]))
            case "transfer":
                columns = (text_id, kind, *numbers[:3], code, pending_id, job_id, source, number)
                transfers.append(transfer_of_row(columns))
            case "job":
                jobs[JobId(text_id)] = JobState(kind)
            case _:
                payments[PaymentKey(code, text_id)] = PaymentFacts(
                    user_id=UserId(numbers[0]),
                    amount_kopecks=numbers[1],
                    state=PaymentState(kind),
                )
    problems = problems_of(Books(kept=accounts, transfers=transfers, jobs=jobs, payments=payments))
    return Audit(is_balanced=not problems, problems=problems, users=len(accounts))


def next_slice(tx: Transaction, *, after: int, limit: int) -> int:
    """Return up to which user an audit of `limit` accounts after a user goes."""
    rows = tx.execute(
        """
        SELECT account_id FROM accounts WHERE account_id > :after
        ORDER BY account_id LIMIT :limit
        """,
        {"after": max(0, after), "limit": limit},
    ).rows
    return rows[-1][0] if len(rows) == limit else USER_ID_MAX
