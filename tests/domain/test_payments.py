"""An offer is what we signed, and a payment is worth what was offered or what its Stars are."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from trt.domain.ids import UserId
from trt.domain.inputs import ChargeId, PreCheckout, PreCheckoutId
from trt.domain.payments import (
    Doubt,
    Offer,
    OrderId,
    Seal,
    StarRate,
    doubt_about,
    star_payment,
    star_rate,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SEAL = Seal(key=b"ours")
RATE = star_rate(Decimal("0.013"), Decimal("78.0"))
OFFER = Offer(
    order_id=OrderId("0123456789abcdef"),
    stars=100,
    amount_kopecks=10_140,
    expires_at=NOW + timedelta(hours=1),
)
QUERY = PreCheckout(
    query_id=PreCheckoutId("1"), currency="XTR", total_stars=100, payload=SEAL.payload(OFFER)
)


def test_a_star_is_worth_what_telegram_pays_for_it_and_no_fraction_of_a_kopeck_more() -> None:
    assert RATE.worth(100) == 10_140
    assert star_rate(Decimal("0.013"), Decimal("78.99")).worth(1) == 102
    assert StarRate(kopecks_per_star=Decimal("0.01")).worth(1) == 1


@given(
    st.text("0123456789abcdef", min_size=16, max_size=16),
    st.integers(1, 10**5),
    st.integers(1, 10**9),
    st.datetimes(datetime(2026, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - made aware below
)
def test_an_offer_comes_back_from_its_payload(
    order: str, stars: int, kopecks: int, until: datetime
) -> None:
    offer = Offer(
        order_id=OrderId(order),
        stars=stars,
        amount_kopecks=kopecks,
        expires_at=until.replace(microsecond=0, tzinfo=UTC),
    )
    payload = SEAL.payload(offer)
    assert SEAL.read(payload) == offer
    assert len(payload.encode()) <= 128


@given(st.integers(0, 70), st.characters(codec="ascii"))
def test_one_other_character_makes_it_nobodys(at: int, character: str) -> None:
    payload = SEAL.payload(OFFER)
    at %= len(payload)
    forged = payload[:at] + character + payload[at + 1 :]
    assert SEAL.read(forged) == (OFFER if forged == payload else None)


@given(st.text(max_size=140))
def test_what_is_no_payload_of_ours_is_nobodys(payload: str) -> None:
    assert SEAL.read(payload) is None
    assert Seal(key=b"theirs").read(SEAL.payload(OFFER)) is None


@pytest.mark.parametrize(
    ("query", "after_s", "doubt"),
    [
        (QUERY, 0, None),
        (QUERY, 3599, None),
        (QUERY, 3600, Doubt.EXPIRED),
        (evolve(QUERY, currency="USD"), 0, Doubt.CURRENCY),
        (evolve(QUERY, total_stars=1), 0, Doubt.AMOUNT),
        (evolve(QUERY, payload="order-1"), 0, Doubt.UNKNOWN),
    ],
)
def test_what_is_doubtful_about_a_payment(
    query: PreCheckout, after_s: float, doubt: Doubt | None
) -> None:
    assert doubt_about(query, SEAL, NOW + timedelta(seconds=after_s)) is doubt


@pytest.mark.parametrize(
    ("stars", "payload", "kopecks", "order_id"),
    [
        (100, SEAL.payload(evolve(OFFER, amount_kopecks=9_000)), 9_000, OFFER.order_id),
        (50, SEAL.payload(OFFER), 5_070, OFFER.order_id),
        (100, "no such order", 10_140, None),
    ],
    ids=["as offered, whatever the rate is now", "another amount", "no offer of ours"],
)
def test_money_that_arrived_is_credited_whatever_it_says(
    stars: int, payload: str, kopecks: int, order_id: OrderId | None
) -> None:
    payment = star_payment(ChargeId("stx"), UserId(7), stars, payload, SEAL, RATE)
    assert (payment.amount_kopecks, payment.stars, payment.user_id) == (kopecks, stars, 7)
    assert payment.order_id == order_id
    assert str(payment.key) == "stars:stx"


def test_the_key_is_in_no_repr() -> None:
    assert "ours" not in repr(SEAL)
