"""Telegram Stars as Telegram keeps them: invoices, payments under way, the bot's account."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from attrs import Factory, define, field, frozen

STARS = "XTR"
WALLET_STARS = 10_000
"""What everybody has to begin with: nobody here can buy Stars."""


@frozen(kw_only=True)
class FakeInvoice:
    """What is for sale."""

    title: str
    description: str
    payload: str
    price_stars: int
    start_parameter: str = ""
    currency: str = STARS


class CheckoutState(StrEnum):
    """How far a payment came."""

    WAITING = "WAITING"
    """For the bot's answer to the pre-checkout."""
    PAID = "PAID"
    DECLINED = "DECLINED"
    """By the bot."""
    TIMED_OUT = "TIMED_OUT"
    """The bot did not answer in time."""
    GIVEN_UP = "GIVEN_UP"
    """By the person."""
    BROKE = "BROKE"
    """The bot agreed, but the Stars had gone elsewhere meanwhile."""


@define(kw_only=True, eq=False)
class Checkout:
    """One press of a pay button and what becomes of it."""

    query_id: str
    user_id: int
    invoice: FakeInvoice
    update_id: int
    """Of the pre_checkout_query."""
    asked_at: float
    """Seconds on trio's clock."""
    is_update_lost: bool = False
    """Telegram will never tell of the payment but in getStarTransactions."""
    state: CheckoutState = CheckoutState.WAITING
    refusal: str = ""
    """The bot's words, when it declined."""
    charge_id: str | None = None
    """Of the payment, once it is paid."""
    payment_update_id: int | None = None
    """Of the successful_payment, unless it is lost."""


@frozen(kw_only=True)
class StarRow:
    """A line of the bot's account."""

    charge_id: str
    stars: int
    at: datetime
    is_incoming: bool
    partner: Mapping[str, Any]
    """The other side, as the Bot API's TransactionPartner."""


@define
class Stars:
    """All there is to remember; what may happen to it says the till."""

    checkouts: dict[str, Checkout] = Factory(dict)
    """By the id of their pre_checkout_query."""
    links: dict[str, FakeInvoice] = Factory(dict)
    rows: list[StarRow] = Factory(list)
    """Oldest first."""
    _wallets: dict[int, int] = field(factory=dict)

    @property
    def balance(self) -> int:
        """The bot's Stars; chargebacks can make it negative."""
        return sum(row.stars if row.is_incoming else -row.stars for row in self.rows)

    def wallet(self, user_id: int) -> int:
        """Return a person's Stars."""
        return self._wallets.get(user_id, WALLET_STARS)

    def set_wallet(self, user_id: int, stars: int) -> None:
        """Let a person have so many Stars."""
        assert stars >= 0, stars
        self._wallets[user_id] = stars

    def lines_of(self, charge_id: str) -> Sequence[StarRow]:
        """Return the payment of a charge and its refund, as far as they happened."""
        return [row for row in self.rows if row.charge_id == charge_id]
