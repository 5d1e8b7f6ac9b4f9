"""The rules of money: transfers between accounts, what they do to balances, and when books balance.

The model is TigerBeetle's: a transfer moves whole kopecks from a debit to a credit account, never
changes, has an id derived from what it is for, and a pending one is posted or voided once.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NewType, assert_never
from uuid import UUID, uuid5

from attrs import evolve, frozen

from trt.domain.ids import JobId, UserId
from trt.domain.job import JobState

AccountId = NewType("AccountId", int)
"""A user's account has the user's id; system accounts are negative."""

TransferId = NewType("TransferId", str)

GRANTS = AccountId(-1)
"""Where gifts come from."""
REVENUE = AccountId(-2)
"""Where captured money goes."""
PAYMENTS = AccountId(-3)
"""Where paid money comes from."""

# Any constant: it keeps our derived ids apart from everybody else's.
_NAMESPACE = UUID("8a2f0c5e-6d0b-5c1c-9a53-0b7d1f4e2c90")


def account_of(user_id: UserId) -> AccountId:
    """Return the account of a user."""
    assert user_id > 0
    return AccountId(user_id)


def grant_id(purpose: str, user_id: UserId) -> TransferId:
    """Return the id of a gift: one per purpose and user."""
    return _transfer_id(f"{purpose}:{user_id}")


def payment_id(source: str, external_id: str) -> TransferId:
    """Return the id of a payment: one per source and its id there."""
    return _transfer_id(f"payment:{source}:{external_id}")


def reserve_id(job_id: JobId) -> TransferId:
    """Return the id of the transfer that holds a job's money."""
    return _transfer_id(f"reserve:{job_id}")


def capture_id(job_id: JobId) -> TransferId:
    """Return the id of the transfer that takes a job's money."""
    return _transfer_id(f"capture:{job_id}")


def release_id(job_id: JobId) -> TransferId:
    """Return the id of the transfer that gives a job's money back."""
    return _transfer_id(f"release:{job_id}")


def _transfer_id(name: str) -> TransferId:
    return TransferId(uuid5(_NAMESPACE, name).hex)


class TransferKind(StrEnum):
    """What a transfer does to its two accounts."""

    SINGLE = "single"
    """Moves money at once."""
    PENDING = "pending"
    """Sets money aside."""
    POST = "post"
    """Moves what a pending one set aside."""
    VOID = "void"
    """Gives back what a pending one set aside."""


@frozen(kw_only=True)
class Transfer:
    """One movement of money, for ever."""

    transfer_id: TransferId
    kind: TransferKind
    debit: AccountId
    credit: AccountId
    amount_kopecks: int
    code: str
    """What it was for: `reserve`, `capture`, `release`, `payment` or a gift's purpose."""
    pending_id: TransferId | None = None
    """Which pending one a POST or VOID resolves."""
    job_id: JobId | None = None


@frozen(kw_only=True)
class Balance:
    """What a user has."""

    available_kopecks: int
    reserved_kopecks: int
    """Held for generations under way."""


@frozen(kw_only=True)
class Account:
    """The four running sums of an account, in kopecks; all only count upwards, save the pending."""

    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0

    @property
    def balance(self) -> Balance:
        """What the owner can spend and what is held; money on its way in does not count yet."""
        return Balance(
            available_kopecks=self.credits_posted - self.debits_posted - self.debits_pending,
            reserved_kopecks=self.debits_pending,
        )


@frozen
class Effect:
    """What a transfer adds to the sums of both its accounts, in kopecks."""

    pending: int
    posted: int


def effect_of(kind: TransferKind, amount_kopecks: int) -> Effect:
    """Return what a transfer does to the debits of one account and the credits of the other."""
    match kind:
        case TransferKind.SINGLE:
            return Effect(0, amount_kopecks)
        case TransferKind.PENDING:
            return Effect(amount_kopecks, 0)
        case TransferKind.POST:
            return Effect(-amount_kopecks, amount_kopecks)
        case TransferKind.VOID:
            return Effect(-amount_kopecks, 0)
        case _:
            assert_never(kind)


def change_of_available(transfer: Transfer, account_id: AccountId) -> int:
    """Return what a transfer did to the money that the owner of an account can spend."""
    effect = effect_of(transfer.kind, transfer.amount_kopecks)
    if transfer.credit == account_id:
        return effect.posted
    return -effect.posted - effect.pending


def recompute(transfers: Sequence[Transfer]) -> dict[AccountId, Account]:
    """Return every account as the transfers alone say it must be, system accounts too."""
    accounts: dict[AccountId, Account] = {}
    for transfer in transfers:
        effect = effect_of(transfer.kind, transfer.amount_kopecks)
        debit = accounts.get(transfer.debit, Account())
        accounts[transfer.debit] = evolve(
            debit,
            debits_pending=debit.debits_pending + effect.pending,
            debits_posted=debit.debits_posted + effect.posted,
        )
        credit = accounts.get(transfer.credit, Account())
        accounts[transfer.credit] = evolve(
            credit,
            credits_pending=credit.credits_pending + effect.pending,
            credits_posted=credit.credits_posted + effect.posted,
        )
    return accounts


def problems_of_books(
    kept: Mapping[AccountId, Account],
    transfers: Sequence[Transfer],
    jobs: Mapping[JobId, JobState],
) -> tuple[str, ...]:
    """Check the books and return what is wrong with them, in words for the operator.

    Args:
        kept: The running sums of the users' accounts, as stored.
        transfers: Every transfer, oldest first.
        jobs: The state of every job.
    """
    return (
        *_problems_of_sums(kept, recompute(transfers)),
        *_problems_of_transfers(transfers),
        *_problems_of_jobs(transfers, jobs),
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
    """Derive the id again; a payment's own words are not in the transfer, so it is believed."""
    match transfer.kind:
        case TransferKind.SINGLE if transfer.debit == PAYMENTS:
            return transfer.transfer_id
        case TransferKind.SINGLE:
            return grant_id(transfer.code, UserId(transfer.credit))
        case TransferKind.PENDING:
            return reserve_id(transfer.job_id or JobId(""))
        case TransferKind.POST:
            return capture_id(transfer.job_id or JobId(""))
        case TransferKind.VOID:
            return release_id(transfer.job_id or JobId(""))
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
