"""The rules of money: transfers between accounts, and what they do to balances.

The model is TigerBeetle's: a transfer moves whole kopecks from a debit to a credit account, never
changes, has an id derived from what it is for, and a pending one is posted or voided once.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NewType, assert_never
from uuid import UUID, uuid5

from attrs import evolve, frozen

from trt.domain.ids import JobId, Shard, UserId

AccountId = NewType("AccountId", int)
"""A user's account has the user's id; system accounts are negative."""

TransferId = NewType("TransferId", str)

_SYSTEM_ACCOUNTS = 4
"""Each shard has its own: a transfer never leaves its shard."""

# Any constant: it keeps our derived ids apart from everybody else's.
_NAMESPACE = UUID("8a2f0c5e-6d0b-5c1c-9a53-0b7d1f4e2c90")


def account_of(user_id: UserId) -> AccountId:
    """Return the account of a user."""
    assert user_id > 0
    return AccountId(user_id)


def grants_of(shard: Shard) -> AccountId:
    """Return where gifts come from."""
    return AccountId(-1 - shard * _SYSTEM_ACCOUNTS)


def revenue_of(shard: Shard) -> AccountId:
    """Return where captured money goes."""
    return AccountId(-2 - shard * _SYSTEM_ACCOUNTS)


def payments_of(shard: Shard) -> AccountId:
    """Return where paid money comes from."""
    return AccountId(-3 - shard * _SYSTEM_ACCOUNTS)


def losses_of(shard: Shard) -> AccountId:
    """Return what pays for money that was taken back outside after it was spent here."""
    return AccountId(-4 - shard * _SYSTEM_ACCOUNTS)


def system_accounts_of(shard: Shard) -> tuple[AccountId, ...]:
    """Return the accounts that a shard must have before its first transfer."""
    return grants_of(shard), revenue_of(shard), payments_of(shard), losses_of(shard)


def grant_id(purpose: str, user_id: UserId) -> TransferId:
    """Return the id of a gift: one per purpose and user."""
    return _transfer_id(f"{purpose}:{user_id}")


def external_id(code: str, source: str, number: str) -> TransferId:
    """Return the id of a transfer that comes from outside or from the operator.

    Args:
        code: What it is: `payment`, `refund` …
        source: Where the number is from.
        number: What it is called there.
    """
    return _transfer_id(f"{code}:{source}:{number}")


def reserve_id(job_id: JobId) -> TransferId:
    """Return the id of the transfer that holds a job's money."""
    return _transfer_id(f"reserve:{job_id}")


def capture_id(job_id: JobId) -> TransferId:
    """Return the id of the transfer that takes a job's money."""
    return _transfer_id(f"capture:{job_id}")


def release_id(job_id: JobId) -> TransferId:
    """Return the id of the transfer that gives a job's money back."""
    return _transfer_id(f"release:{job_id}")


def resolution_id(kind: "TransferKind", pending_id: TransferId) -> TransferId:
    """Return the id of the transfer that takes or gives back what was held for no job."""
    return _transfer_id(f"{kind}:{pending_id}")


def _transfer_id(name: str) -> TransferId:
    return TransferId(uuid5(_NAMESPACE, name).hex)


class Code(StrEnum):
    """What the transfers that come from outside or from the operator are for."""

    PAYMENT = "payment"
    REFUND = "refund"
    """Held while the payment goes back, then gone with it."""
    TAKEN_BACK = "taken_back"
    """The payment went back without our doing."""
    COVERED = "covered"
    """What of a payment that went back was spent before; the operator bears it."""
    ADMIN_CREDIT = "admin_credit"
    ADMIN_DEBIT = "admin_debit"


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
    """What it was for: `reserve`, `capture`, `release`, one of `Code`, or a gift's purpose."""
    pending_id: TransferId | None = None
    """Which pending one a POST or VOID resolves."""
    job_id: JobId | None = None
    source: str | None = None
    """Where `number` is from: a payment provider, or `admin`."""
    number: str | None = None
    """The payment's id there, or the admin's action."""


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
