"""What the ledger did about an event, for the dialog to put into words."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import field, frozen

from trt.domain.payments import Payment, PaymentState


@frozen(kw_only=True)
class Credited:
    """A payment has arrived."""

    amount_kopecks: int


@frozen(kw_only=True)
class WentBack:
    """A payment was given back or taken back."""

    amount_kopecks: int


@frozen
class NothingNew:
    """It was told before."""


@frozen(kw_only=True)
class AdminReport:
    """How an order of the admin's ended."""

    key: str
    """Of the words."""
    values: Mapping[str, str | int] = field(factory=dict)
    kopecks: Mapping[str, int] = field(factory=dict)
    """Values that are amounts."""


def by_hand(payment: Payment) -> AdminReport:
    """Return what the admin does with a payment that Telegram cannot give back."""
    kopecks = payment.amount_kopecks
    return AdminReport(
        key="admin.paid_by_hand",
        values={
            "user": payment.user_id,
            "rubles": typed_rubles(kopecks),
            "order": payment.key.external_id,
        },
        kopecks={"amount": kopecks},
    )


def typed_rubles(kopecks: int) -> str:
    """Return an amount as the admin types it."""
    return f"{kopecks // 100}.{kopecks % 100:02}"


@frozen(kw_only=True)
class ListedPayment:
    """A payment as the admin sees it."""

    payment: Payment
    state: PaymentState
    at: datetime


@frozen
class PaymentList:
    """What the admin asked for: a user's last payments."""

    payments: Sequence[ListedPayment]


MoneyNews = Credited | WentBack | NothingNew | AdminReport | PaymentList
