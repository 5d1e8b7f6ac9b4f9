"""Payments on paper: packages, the signed offer that an invoice carries, and what a payment is."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import Final, NewType

from attrs import field, frozen
from typing_extensions import override

from trt.domain.ids import UserId
from trt.domain.inputs import ChargeId, PreCheckout

OrderId = NewType("OrderId", str)
"""Sixteen hex characters: one intention to pay."""

STARS_CURRENCY: Final = "XTR"
"""Bot API, Telegram Stars."""
OFFER_LIFE_S: Final = 24 * 3600.0
"""How long an invoice can be paid: as long as the rate that it was made at may hold."""
_SIGNATURE_LENGTH: Final = 24


class Source(StrEnum):
    """Where payments come from."""

    STARS = "stars"
    TRANSFER = "transfer"
    """By hand, to the operator's own account, with a receipt."""


class PaymentState(StrEnum):
    """What became of a payment."""

    CREDITED = "credited"
    REFUNDING = "refunding"
    """Its money is held, and Telegram is being asked to give the Stars back."""
    REFUNDED = "refunded"
    """Given back by us."""
    DISPUTED = "disputed"
    """Taken back without us: by Telegram, by the buyer's bank."""


@frozen
class PaymentKey:
    """Names one payment, whoever tells of it."""

    source: str
    external_id: str

    @override
    def __str__(self) -> str:
        return f"{self.source}:{self.external_id}"


@frozen(kw_only=True)
class Payment:
    """A payment made elsewhere and what it is worth here."""

    key: PaymentKey
    user_id: UserId
    amount_kopecks: int
    stars: int | None
    order_id: OrderId | None
    """None when it names no offer of ours."""


@frozen(kw_only=True)
class Offer:
    """So many rubles for so many Stars; it travels in the invoice's payload, signed.

    So the last word before a payment needs nothing but the question itself, and what was promised
    is credited whatever happened to the rate, the database or the instance meanwhile.
    """

    order_id: OrderId
    stars: int
    amount_kopecks: int
    expires_at: datetime
    """Whole seconds."""


@frozen(kw_only=True)
class StarRate:
    """What Stars are worth."""

    kopecks_per_star: Decimal

    def worth(self, stars: int) -> int:
        """Return whole kopecks, rounded down: we credit no more than we get."""
        return max(1, int((stars * self.kopecks_per_star).to_integral_value(ROUND_FLOOR)))


def star_rate(star_usd: Decimal, usd_to_rub: Decimal) -> StarRate:
    """Return what a Star is worth by what Telegram pays for it (Telegram's terms, 6.2.2).

    Args:
        star_usd: Dollars per Star.
        usd_to_rub: Rubles per dollar, the same as for prices.
    """
    return StarRate(kopecks_per_star=star_usd * usd_to_rub * 100)


@frozen(kw_only=True)
class Seal:
    """Signs offers, and knows its own again."""

    _key: bytes = field(repr=False)

    def payload(self, offer: Offer) -> str:
        """Return what an invoice carries: at most 128 bytes (Bot API, sendInvoice)."""
        body = (
            f"{offer.order_id}:{offer.stars}:{offer.amount_kopecks}"
            f":{int(offer.expires_at.timestamp())}"
        )
        return f"{body}:{self._signature(body)}"

    def read(self, payload: str) -> Offer | None:
        """Return the offer that a payload holds; None when we never made it."""
        found = _PAYLOAD.fullmatch(payload)
        if found is None:
            return None
        body, signature = payload.rsplit(":", 1)
        if not hmac.compare_digest(self._signature(body), signature):
            return None
        return Offer(
            order_id=OrderId(found[1]),
            stars=int(found[2]),
            amount_kopecks=int(found[3]),
            expires_at=datetime.fromtimestamp(int(found[4]), UTC),
        )

    def _signature(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()[:_SIGNATURE_LENGTH]


_PAYLOAD: Final = re.compile(
    rf"([0-9a-f]{{1,32}}):([0-9]{{1,9}}):([0-9]{{1,12}}):([0-9]{{1,11}})"
    rf":[0-9a-f]{{{_SIGNATURE_LENGTH}}}",
    re.ASCII,
)


class Doubt(StrEnum):
    """Why a payment must not go on."""

    UNKNOWN = "unknown"
    """No invoice of ours."""
    EXPIRED = "expired"
    CURRENCY = "currency"
    AMOUNT = "amount"


DOUBT_KEYS: Final[Mapping[Doubt, str]] = {
    Doubt.UNKNOWN: "checkout.unknown",
    Doubt.EXPIRED: "checkout.expired",
    Doubt.CURRENCY: "checkout.unknown",
    Doubt.AMOUNT: "checkout.unknown",
}


def doubt_about(query: PreCheckout, seal: Seal, now: datetime) -> Doubt | None:
    """Return why a payment may not go on; None lets it.

    Whoever got a forwarded invoice may pay it, and it may be paid twice: each payment is credited
    to who paid it.
    """
    if query.currency != STARS_CURRENCY:
        return Doubt.CURRENCY
    offer = seal.read(query.payload)
    if offer is None:
        return Doubt.UNKNOWN
    if query.total_stars != offer.stars:
        return Doubt.AMOUNT
    return Doubt.EXPIRED if now >= offer.expires_at else None


def star_payment(
    charge_id: ChargeId, user_id: UserId, stars: int, payload: str, seal: Seal, rate: StarRate
) -> Payment:
    """Return what a payment in Stars is worth to whom.

    The money has arrived, so it is credited whatever it says: by the offer if it is one of ours
    and paid in full, else by today's rate.
    """
    offer = seal.read(payload)
    is_as_offered = offer is not None and offer.stars == stars
    return Payment(
        key=PaymentKey(Source.STARS, charge_id),
        user_id=user_id,
        amount_kopecks=offer.amount_kopecks if offer and is_as_offered else rate.worth(stars),
        stars=stars,
        order_id=None if offer is None else offer.order_id,
    )


class TopUpState(StrEnum):
    """How far a transfer by hand came."""

    OPEN = "open"
    """The user has seen where to."""
    WAITING = "waiting"
    """The admin has the receipt."""
    APPROVED = "approved"
    REJECTED = "rejected"


@frozen(kw_only=True)
class TopUp:
    """A transfer by hand that a user announced."""

    order_id: OrderId
    user_id: UserId
    amount_kopecks: int

    @property
    def payment(self) -> Payment:
        """The payment that it is, once the admin has seen the money."""
        return Payment(
            key=PaymentKey(Source.TRANSFER, self.order_id),
            user_id=self.user_id,
            amount_kopecks=self.amount_kopecks,
            stars=None,
            order_id=self.order_id,
        )
