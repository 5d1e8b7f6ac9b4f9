"""The rules of money on paper."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from trt.domain.ids import JobId, UserId
from trt.domain.job import JobState
from trt.domain.ledger import (
    GRANTS,
    PAYMENTS,
    REVENUE,
    Account,
    Balance,
    Transfer,
    TransferId,
    TransferKind,
    account_of,
    capture_id,
    change_of_available,
    grant_id,
    payment_id,
    problems_of_books,
    recompute,
    release_id,
    reserve_id,
)

USER = UserId(7)
OWN = account_of(USER)
JOB = JobId("j")
GIFT = Transfer(
    transfer_id=grant_id("welcome", USER),
    kind=TransferKind.SINGLE,
    debit=GRANTS,
    credit=OWN,
    amount_kopecks=100,
    code="welcome",
)
HELD = Transfer(
    transfer_id=reserve_id(JOB),
    kind=TransferKind.PENDING,
    debit=OWN,
    credit=REVENUE,
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
    return problems_of_books(kept, transfers, {JOB: state})


def test_ids_say_what_a_transfer_is_for_and_nothing_else() -> None:
    names = {
        grant_id("welcome", USER),
        grant_id("welcome", UserId(8)),
        grant_id("sorry", USER),
        payment_id("telegram", "7"),
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
    payment = evolve(GIFT, debit=PAYMENTS, transfer_id=TransferId("any"), code="payment")
    assert check(payment, HELD) == ()


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
    found = problems_of_books({OWN: Account(credits_posted=1)}, [], {})
    assert found == ("account 7: the sums are not those of its transfers",)
    found = problems_of_books({}, [GIFT], {})
    assert found == ("account 7: has transfers and no row",)
