"""The rules of money on paper."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from trt.domain.books import Books, PaymentFacts, problems_of
from trt.domain.ids import JobId, Shard, UserId
from trt.domain.job import JobState
from trt.domain.ledger import (
    Account,
    Balance,
    Transfer,
    TransferKind,
    account_of,
    capture_id,
    change_of_available,
    external_id,
    grant_id,
    grants_of,
    payments_of,
    recompute,
    release_id,
    reserve_id,
    resolution_id,
    revenue_of,
    system_accounts_of,
)
from trt.domain.payments import PaymentKey, PaymentState

SHARD = Shard(0)
USER = UserId(7)
OWN = account_of(USER)
JOB = JobId("j")
GIFT = Transfer(
    transfer_id=grant_id("welcome", USER),
    kind=TransferKind.SINGLE,
    debit=grants_of(SHARD),
    credit=OWN,
    amount_kopecks=100,
    code="welcome",
)
HELD = Transfer(
    transfer_id=reserve_id(JOB),
    kind=TransferKind.PENDING,
    debit=OWN,
    credit=revenue_of(SHARD),
    amount_kopecks=60,
    code="reserve",
    job_id=JOB,
)
TAKEN = evolve(
    HELD,
    transfer_id=capture_id(JOB),
    kind=TransferKind.POST,
    code="capture",
    pending_id=HELD.transfer_id,
)
GIVEN_BACK = evolve(TAKEN, transfer_id=release_id(JOB), kind=TransferKind.VOID, code="release")


def check(*transfers: Transfer, state: JobState = JobState.RUNNING) -> tuple[str, ...]:
    kept = {OWN: recompute(transfers).get(OWN, Account())}
    return problems_of(Books(kept=kept, transfers=transfers, jobs={JOB: state}, payments={}))


def test_ids_say_what_a_transfer_is_for_and_nothing_else() -> None:
    names = {
        grant_id("welcome", USER),
        grant_id("welcome", UserId(8)),
        grant_id("sorry", USER),
        external_id("payment", "telegram", "7"),
        reserve_id(JOB),
        capture_id(JOB),
        release_id(JOB),
        reserve_id(JobId("k")),
    }
    assert len(names) == 8
    assert reserve_id(JOB) == reserve_id(JobId("j"))
    # Rows of years ago must be found again: the derivation never changes.
    assert reserve_id(JOB) == "72d63d61a29c5916926de5f9377632f4"


@pytest.mark.parametrize(
    ("transfers", "available", "reserved"),
    [
        ([], 0, 0),
        ([GIFT], 100, 0),
        ([GIFT, HELD], 40, 60),
        ([GIFT, HELD, TAKEN], 40, 0),
        ([GIFT, HELD, GIVEN_BACK], 100, 0),
    ],
)
def test_what_a_user_has_after_each_step(
    transfers: list[Transfer], available: int, reserved: int
) -> None:
    account = recompute(transfers).get(OWN, Account())
    assert account.balance == Balance(available_kopecks=available, reserved_kopecks=reserved)
    assert sum(change_of_available(transfer, OWN) for transfer in transfers) == available


@given(st.permutations([GIFT, HELD, TAKEN]))
def test_debits_are_credits_whatever_happened(transfers: list[Transfer]) -> None:
    accounts = recompute(transfers).values()
    assert sum(a.debits_posted for a in accounts) == sum(a.credits_posted for a in accounts)
    assert sum(a.debits_pending for a in accounts) == sum(a.credits_pending for a in accounts)


def test_good_books_have_no_problems() -> None:
    assert check(GIFT, HELD) == ()
    assert check(GIFT, HELD, TAKEN, state=JobState.DELIVERED) == ()
    assert check(GIFT, HELD, GIVEN_BACK, state=JobState.FAILED) == ()


@pytest.mark.parametrize(
    ("transfers", "state", "problem"),
    [
        ([HELD], JobState.RUNNING, "overdrawn"),
        ([GIFT, HELD, TAKEN, GIVEN_BACK], JobState.FAILED, "resolved twice"),
        ([GIFT, HELD, evolve(TAKEN, amount_kopecks=59)], JobState.DELIVERED, "differs from what"),
        ([GIFT, TAKEN], JobState.DELIVERED, "differs from what"),
        ([evolve(GIFT, code="sorry"), HELD], JobState.RUNNING, "not what its id"),
        ([GIFT, evolve(HELD, job_id=JobId("k"))], JobState.RUNNING, "not what its id"),
        ([GIFT, HELD], JobState.DELIVERED, "job j: is delivered and its money is pending"),
        ([GIFT, HELD, TAKEN], JobState.RUNNING, "job j: is running and its money is post"),
        ([GIFT], JobState.RUNNING, "job j: is running and its money is nowhere"),
        ([GIFT, evolve(HELD, job_id=JobId("k"))], JobState.RUNNING, "job k: has money and no row"),
    ],
)
def test_bad_books_are_told_by_name(
    transfers: list[Transfer], state: JobState, problem: str
) -> None:
    assert any(problem in found for found in check(*transfers, state=state))


def test_sums_that_nobody_transferred_are_found() -> None:
    kept = {OWN: Account(credits_posted=1)}
    found = problems_of(Books(kept=kept, transfers=[], jobs={}, payments={}))
    assert found == ("account 7: the sums are not those of its transfers",)
    found = problems_of(Books(kept={}, transfers=[GIFT], jobs={}, payments={}))
    assert found == ("account 7: has transfers and no row",)


def test_every_shard_has_system_accounts_of_its_own() -> None:
    # Shard 0 has what the first releases had.
    assert system_accounts_of(SHARD) == (-1, -2, -3, -4)
    everyone = [account for shard in range(64) for account in system_accounts_of(Shard(shard))]
    assert len(set(everyone)) == 64 * 4
    assert max(everyone) < 0


@pytest.mark.parametrize("shard", [0, 1, 63])
def test_books_of_any_shard_are_checked_alike(shard: int) -> None:
    gift = evolve(GIFT, debit=grants_of(Shard(shard)))
    assert check(gift, HELD) == ()
    assert check(evolve(gift, code="sorry"), HELD) != ()


KEY = PaymentKey("stars", "charge")
PAID = evolve(
    GIFT,
    transfer_id=external_id("payment", "stars", "charge"),
    debit=payments_of(SHARD),
    code="payment",
    source="stars",
    number="charge",
)
REFUND = Transfer(
    transfer_id=external_id("refund", "stars", "charge#1"),
    kind=TransferKind.PENDING,
    debit=OWN,
    credit=payments_of(SHARD),
    amount_kopecks=100,
    code="refund",
    source="stars",
    number="charge#1",
)
GONE = evolve(
    REFUND,
    transfer_id=resolution_id(TransferKind.POST, REFUND.transfer_id),
    kind=TransferKind.POST,
    pending_id=REFUND.transfer_id,
    source=None,
    number=None,
)
STAYED = evolve(
    GONE,
    transfer_id=resolution_id(TransferKind.VOID, REFUND.transfer_id),
    kind=TransferKind.VOID,
)
TAKEN_BACK = evolve(
    REFUND,
    transfer_id=external_id("taken_back", "stars", "charge"),
    kind=TransferKind.SINGLE,
    code="taken_back",
    number="charge",
)


@pytest.mark.parametrize("state", list(PaymentState))
@pytest.mark.parametrize(
    ("transfers", "due"),
    [
        ([PAID], PaymentState.CREDITED),
        ([PAID, REFUND], PaymentState.REFUNDING),
        ([PAID, REFUND, GONE], PaymentState.REFUNDED),
        ([PAID, REFUND, STAYED], PaymentState.CREDITED),
        ([PAID, TAKEN_BACK], PaymentState.DISPUTED),
        ([PAID, REFUND, GONE, TAKEN_BACK], None),
    ],
)
def test_a_payment_and_its_money_are_in_the_same_state(
    transfers: list[Transfer], due: PaymentState | None, state: PaymentState
) -> None:
    if due is None:
        transfers = [*transfers, evolve(GIFT)]
    facts = PaymentFacts(user_id=USER, amount_kopecks=100, state=state)
    kept = {OWN: recompute(transfers)[OWN]}
    books = Books(kept=kept, transfers=transfers, jobs={}, payments={KEY: facts})
    assert (problems_of(books) == ()) == (state is due)


def test_a_payment_without_its_money_and_money_without_its_payment_are_found() -> None:
    facts = PaymentFacts(user_id=USER, amount_kopecks=100, state=PaymentState.CREDITED)
    alone = Books(kept={}, transfers=[], jobs={}, payments={KEY: facts})
    assert problems_of(alone) == ("payment stars:charge: its money is not with its user",)
    kept = {OWN: Account(credits_posted=100)}
    unknown = Books(kept=kept, transfers=[PAID], jobs={}, payments={})
    assert problems_of(unknown) == ("payment stars:charge: has money and no row",)
    for wrong in (evolve(facts, amount_kopecks=99), evolve(facts, user_id=UserId(8))):
        books = Books(kept=kept, transfers=[PAID], jobs={}, payments={KEY: wrong})
        assert problems_of(books) != ()
