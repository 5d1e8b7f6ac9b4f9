"""When the books balance: every sum, every transfer, every job and every payment agrees."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import assert_never

from attrs import frozen

from trt.domain.ids import JobId, UserId
from trt.domain.job import JobState
from trt.domain.ledger import (
    Account,
    AccountId,
    Code,
    Transfer,
    TransferId,
    TransferKind,
    account_of,
    capture_id,
    external_id,
    grant_id,
    recompute,
    release_id,
    reserve_id,
    resolution_id,
)
from trt.domain.payments import PaymentKey, PaymentState


@frozen(kw_only=True)
class PaymentFacts:
    """A payment as its own row tells it."""

    user_id: UserId
    amount_kopecks: int
    state: PaymentState


@frozen(kw_only=True)
class Books:
    """Everything that has to agree."""

    kept: Mapping[AccountId, Account]
    """The running sums of the users' accounts, as stored."""
    transfers: Sequence[Transfer]
    """Oldest first."""
    jobs: Mapping[JobId, JobState]
    payments: Mapping[PaymentKey, PaymentFacts]


def problems_of(books: Books) -> tuple[str, ...]:
    """Check the books and return what is wrong with them, in words for the operator."""
    return (
        *_problems_of_sums(books.kept, recompute(books.transfers)),
        *_problems_of_transfers(books.transfers),
        *_problems_of_jobs(books.transfers, books.jobs),
        *_problems_of_payments(books.transfers, books.payments),
    )


def _problems_of_sums(
    kept: Mapping[AccountId, Account], computed: Mapping[AccountId, Account]
) -> list[str]:
    debits = sum(a.debits_posted + a.debits_pending for a in computed.values())
    credits_ = sum(a.credits_posted + a.credits_pending for a in computed.values())
    problems = [] if debits == credits_ else [f"debits {debits} are not credits {credits_}"]
    for account_id, account in kept.items():
        if account != computed.get(account_id, Account()):
            problems.append(f"account {account_id}: the sums are not those of its transfers")
        if account.balance.available_kopecks < 0:
            problems.append(f"account {account_id}: overdrawn")
    problems += [
        f"account {account_id}: has transfers and no row"
        for account_id in computed
        if account_id > 0 and account_id not in kept
    ]
    return problems


def _problems_of_transfers(transfers: Sequence[Transfer]) -> list[str]:
    pending = {t.transfer_id: t for t in transfers if t.kind is TransferKind.PENDING}
    resolved: set[TransferId] = set()
    problems = []
    for transfer in transfers:
        if transfer.transfer_id != _expected_id(transfer):
            problems.append(f"transfer {transfer.transfer_id}: is not what its id was made for")
        if transfer.pending_id is None:
            continue
        origin = pending.get(transfer.pending_id)
        if transfer.pending_id in resolved:
            problems.append(f"transfer {transfer.pending_id}: resolved twice")
        resolved.add(transfer.pending_id)
        if origin is None or _sides(origin) != _sides(transfer):
            problems.append(f"transfer {transfer.transfer_id}: differs from what it resolves")
    return problems


def _sides(transfer: Transfer) -> tuple[AccountId, AccountId, int, JobId | None]:
    return transfer.debit, transfer.credit, transfer.amount_kopecks, transfer.job_id


def _expected_id(transfer: Transfer) -> TransferId:
    """Derive the id again from what the transfer is for."""
    match transfer.kind:
        case TransferKind.SINGLE | TransferKind.PENDING if transfer.source is not None:
            return external_id(transfer.code, transfer.source, transfer.number or "")
        case TransferKind.SINGLE:
            return grant_id(transfer.code, UserId(transfer.credit))
        case TransferKind.PENDING:
            return reserve_id(transfer.job_id or JobId(""))
        case TransferKind.POST | TransferKind.VOID if transfer.job_id is None:
            return resolution_id(transfer.kind, transfer.pending_id or TransferId(""))
        case TransferKind.POST:
            return capture_id(transfer.job_id)
        case TransferKind.VOID:
            return release_id(transfer.job_id)
        case _:
            assert_never(transfer.kind)


def _problems_of_jobs(transfers: Sequence[Transfer], jobs: Mapping[JobId, JobState]) -> list[str]:
    """Delivered means captured, failed means released, everything else means held."""
    money: dict[JobId, TransferKind] = {}
    for transfer in transfers:
        if transfer.job_id is not None:
            money[transfer.job_id] = transfer.kind
    due = {JobState.DELIVERED: TransferKind.POST, JobState.FAILED: TransferKind.VOID}
    problems = [
        f"job {job_id}: is {state} and its money is {money.get(job_id, 'nowhere')}"
        for job_id, state in jobs.items()
        if money.get(job_id) is not due.get(state, TransferKind.PENDING)
    ]
    problems += [f"job {job_id}: has money and no row" for job_id in money if job_id not in jobs]
    return problems


def _problems_of_payments(
    transfers: Sequence[Transfer], payments: Mapping[PaymentKey, PaymentFacts]
) -> list[str]:
    """Each payment brought its amount to its user once, and went back as its state says."""
    resolved = {t.pending_id: t.kind for t in transfers if t.pending_id is not None}
    credited: dict[PaymentKey, Transfer] = {}
    went: defaultdict[PaymentKey, list[tuple[PaymentState, int]]] = defaultdict(list)
    for transfer in transfers:
        if transfer.source is None or transfer.number is None:
            continue
        key = PaymentKey(transfer.source, transfer.number)
        if transfer.code == Code.PAYMENT:
            credited[key] = transfer
        elif transfer.code == Code.TAKEN_BACK:
            went[key].append((PaymentState.DISPUTED, transfer.amount_kopecks))
        elif transfer.code == Code.REFUND and transfer.kind is TransferKind.PENDING:
            key = PaymentKey(transfer.source, transfer.number.rpartition("#")[0])
            kind = resolved.get(transfer.transfer_id)
            if kind is not TransferKind.VOID:
                is_posted = kind is TransferKind.POST
                state = PaymentState.REFUNDED if is_posted else PaymentState.REFUNDING
                went[key].append((state, transfer.amount_kopecks))
    problems = [f"payment {key}: has money and no row" for key in credited if key not in payments]
    for key, facts in payments.items():
        paid = credited.get(key)
        expected = (account_of(facts.user_id), facts.amount_kopecks)
        if paid is None or (paid.credit, paid.amount_kopecks) != expected:
            problems.append(f"payment {key}: its money is not with its user")
        is_whole = facts.state is PaymentState.CREDITED
        due = [] if is_whole else [(facts.state, facts.amount_kopecks)]
        if went[key] != due:
            problems.append(f"payment {key}: is {facts.state} and its money is not")
    return problems
