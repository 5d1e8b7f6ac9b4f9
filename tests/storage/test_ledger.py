"""Money is held, taken or given back, once, and the books always balance."""

from contextlib import ExitStack
from typing import Any, ClassVar

import pytest
from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from tests.storage.engine import BROKEN_CONSTRAINT, Engine
from tests.storage.samples import CID, EPOCH, NOW, SHARD, USER, job
from trt.domain.ids import JobId, Shard, UserId
from trt.domain.job import JobState
from trt.domain.ledger import Balance, account_of, grants_of, payments_of, revenue_of
from trt.domain.payments import Payment, PaymentKey, Source
from trt.domain.statement import LineState
from trt.storage import books, installation, jobs, ledger, payments
from trt.storage.database import Database, Transaction
from trt.storage.errors import LedgerMismatch
from trt.storage.ledger import (
    AlreadyCaptured,
    AlreadyPosted,
    AlreadyReleased,
    AlreadyReserved,
    Captured,
    InsufficientFunds,
    Posted,
    Released,
    Reserved,
)
from trt.storage.statement import statement

J1 = job(1).job_id
HOW: Any = {"cid": CID, "epoch": EPOCH, "now": NOW}


def give(
    tx: Transaction, kopecks: int, *, purpose: str = "welcome", user_id: int = USER
) -> Posted | AlreadyPosted:
    ledger.open_account(tx, UserId(user_id), shard=SHARD)
    return ledger.grant(tx, user_id=UserId(user_id), amount_kopecks=kopecks, purpose=purpose, **HOW)


def paid(charge: str, kopecks: int, user_id: int = USER) -> Payment:
    return Payment(
        key=PaymentKey(Source.STARS, charge),
        user_id=UserId(user_id),
        amount_kopecks=kopecks,
        stars=kopecks,
        order_id=None,
    )


def reserve(
    tx: Transaction, kopecks: int, *, job_id: JobId = J1, user_id: int = USER
) -> Reserved | AlreadyReserved | InsufficientFunds:
    return ledger.reserve(tx, job_id=job_id, user_id=UserId(user_id), amount_kopecks=kopecks, **HOW)


def has(tx: Transaction, user_id: int = USER) -> tuple[int, int]:
    balance = ledger.balance(tx, UserId(user_id))
    return balance.available_kopecks, balance.reserved_kopecks


def insert_job(tx: Transaction, state: JobState, number: int = 1) -> None:
    jobs.insert(tx, evolve(job(number), state=state), shard=SHARD, epoch=EPOCH)


def test_a_user_without_an_account_has_nothing(tx: Transaction) -> None:
    assert has(tx) == (0, 0)
    assert reserve(tx, 5) == InsufficientFunds(missing_kopecks=5)


def test_a_gift_is_given_once_per_purpose(tx: Transaction) -> None:
    assert give(tx, 100) == Posted(balance=Balance(available_kopecks=100, reserved_kopecks=0))
    assert isinstance(give(tx, 100), AlreadyPosted)
    assert isinstance(give(tx, 30, purpose="sorry"), Posted)
    assert isinstance(give(tx, 100, user_id=2), Posted)
    assert has(tx) == (130, 0)
    with pytest.raises(LedgerMismatch):
        give(tx, 99)


def test_a_payment_is_credited_once_and_to_one_user(tx: Transaction) -> None:
    def pay(kopecks: int, user_id: int, charge: str) -> Posted | AlreadyPosted:
        return payments.credit(tx, paid(charge, kopecks, user_id), shard=SHARD, **HOW)

    assert isinstance(pay(100, USER, "charge-1"), Posted)
    assert isinstance(pay(100, USER, "charge-1"), AlreadyPosted)
    assert isinstance(pay(100, USER, "charge-2"), Posted)
    assert has(tx) == (200, 0)
    for kopecks, user_id in [(101, USER), (100, 2)]:
        with pytest.raises(LedgerMismatch):
            pay(kopecks, user_id, "charge-1")
    with pytest.raises(BROKEN_CONSTRAINT, match=r"(?i)unique"):
        tx.execute("""
            INSERT INTO transfers (transfer_id, kind, debit_account_id, credit_account_id,
              amount_kopecks, code, external_source, external_id, cid, epoch, created_at)
            VALUES ('x', 'single', -3, 1001, 1, 'payment', 'stars', 'charge-1', '', 1, 0)
            """)


def test_a_payment_told_again_at_another_rate_is_the_same_payment(tx: Transaction) -> None:
    first = paid("charge-1", 100)
    assert isinstance(payments.credit(tx, first, shard=SHARD, **HOW), Posted)
    again = evolve(first, amount_kopecks=130)
    assert isinstance(payments.credit(tx, again, shard=SHARD, **HOW), AlreadyPosted)
    assert has(tx) == (100, 0)


def test_held_money_can_be_taken_once(tx: Transaction) -> None:
    give(tx, 100)
    assert isinstance(reserve(tx, 60), Reserved)
    assert has(tx) == (40, 60)
    assert ledger.capture(tx, J1, **HOW) == Captured(amount_kopecks=60)
    assert has(tx) == (40, 0)
    assert ledger.capture(tx, J1, **HOW) == AlreadyCaptured(amount_kopecks=60)
    assert ledger.release(tx, J1, **HOW) == AlreadyCaptured(amount_kopecks=60)
    assert has(tx) == (40, 0)


def test_held_money_can_be_given_back_once(tx: Transaction) -> None:
    give(tx, 100)
    reserve(tx, 60)
    assert ledger.release(tx, J1, **HOW) == Released(amount_kopecks=60)
    assert ledger.release(tx, J1, **HOW) == AlreadyReleased(amount_kopecks=60)
    assert ledger.capture(tx, J1, **HOW) == AlreadyReleased(amount_kopecks=60)
    assert has(tx) == (100, 0)


def test_holding_again_changes_nothing_even_when_the_rest_would_not_do(tx: Transaction) -> None:
    give(tx, 100)
    reserve(tx, 60)
    assert isinstance(reserve(tx, 60), AlreadyReserved)
    ledger.capture(tx, J1, **HOW)
    assert isinstance(reserve(tx, 60), AlreadyReserved)
    assert has(tx) == (40, 0)
    give(tx, 60, user_id=2)
    for kopecks, user_id in [(59, USER), (6000, USER), (60, 2)]:
        with pytest.raises(LedgerMismatch):
            reserve(tx, kopecks, user_id=user_id)


def test_too_little_is_refused_and_writes_nothing(tx: Transaction) -> None:
    give(tx, 100)
    reserve(tx, 60)
    before = tx.execute("SELECT * FROM transfers").rows
    assert reserve(tx, 50, job_id=job(2).job_id) == InsufficientFunds(missing_kopecks=10)
    assert tx.execute("SELECT * FROM transfers").rows == before
    assert has(tx) == (40, 60)


async def test_a_refused_reserve_rolls_its_transaction_back(database: Database) -> None:
    def order(tx: Transaction) -> object:
        give(tx, 10)
        insert_job(tx, JobState.RESERVED)
        return reserve(tx, 50)

    assert await database.transact(order) == InsufficientFunds(missing_kopecks=40)
    assert await database.transact(jobs.get, J1) is None
    assert (await database.transact(ledger.balance, USER)).available_kopecks == 0


def test_a_free_generation_is_held_and_taken_like_any_other(tx: Transaction) -> None:
    ledger.open_account(tx, USER, shard=SHARD)
    assert isinstance(reserve(tx, 0), Reserved)
    assert ledger.capture(tx, J1, **HOW) == Captured(amount_kopecks=0)


def test_what_was_never_held_cannot_be_taken_or_given_back(tx: Transaction) -> None:
    with pytest.raises(LedgerMismatch):
        ledger.capture(tx, J1, **HOW)
    with pytest.raises(LedgerMismatch):
        ledger.release(tx, J1, **HOW)


def test_a_gift_without_an_account_is_a_bug(tx: Transaction) -> None:
    with pytest.raises(AssertionError, match="never opened"):
        ledger.grant(tx, user_id=USER, amount_kopecks=1, purpose="welcome", **HOW)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE transfers SET amount_kopecks = 1",
        "DELETE FROM transfers",
        "UPDATE accounts SET debits_posted = 101 WHERE account_id = 1001",
        "UPDATE accounts SET debits_pending = -1 WHERE account_id = 1001",
        "UPDATE accounts SET credits_posted = 1 WHERE account_id = -1",
    ],
)
def test_the_database_itself_refuses_to_bend_the_books(tx: Transaction, sql: str) -> None:
    give(tx, 100)
    with pytest.raises(BROKEN_CONSTRAINT):
        tx.execute(sql)


def test_a_pending_transfer_cannot_be_resolved_twice_by_any_code(tx: Transaction) -> None:
    give(tx, 100)
    reserve(tx, 60)
    ledger.capture(tx, J1, **HOW)
    with pytest.raises(BROKEN_CONSTRAINT, match=r"(?i)unique"):
        tx.execute("""
            INSERT INTO transfers (transfer_id, kind, debit_account_id, credit_account_id,
              amount_kopecks, pending_id, code, cid, epoch, created_at)
            SELECT 'x', 'void', debit_account_id, credit_account_id, amount_kopecks, transfer_id,
              'release', '', 1, 0 FROM transfers WHERE kind = 'pending'
            """)


def test_each_shard_pays_from_accounts_of_its_own(tx: Transaction) -> None:
    installation.settle(tx, shards=3)
    ledger.open_account(tx, USER, shard=Shard(2))
    ledger.grant(tx, user_id=USER, amount_kopecks=100, purpose="welcome", **HOW)
    payments.credit(tx, paid("charge-1", 50), shard=Shard(2), **HOW)
    reserve(tx, 60)
    ledger.capture(tx, J1, **HOW)
    insert_job(tx, JobState.DELIVERED)
    sides = tx.execute(
        "SELECT debit_account_id, credit_account_id, shard FROM transfers ORDER BY transfer_no"
    ).rows
    user = account_of(USER)
    assert list(sides) == [
        (grants_of(Shard(2)), user, 2),
        (payments_of(Shard(2)), user, 2),
        (user, revenue_of(Shard(2)), 2),
        (user, revenue_of(Shard(2)), 2),
    ]
    assert books.audit(tx).problems == ()


def test_a_statement_adds_up_to_what_can_be_spent(tx: Transaction) -> None:
    give(tx, 100)
    reserve(tx, 60)
    ledger.capture(tx, J1, **HOW)
    reserve(tx, 30, job_id=job(2).job_id)
    ledger.release(tx, job(2).job_id, **HOW)
    reserve(tx, 15, job_id=job(3).job_id)
    insert_job(tx, JobState.DELIVERED)
    lines = statement(tx, USER, 100)
    assert [(line.code, line.state, line.amount_kopecks) for line in lines] == [
        ("reserve", LineState.HELD, -15),
        ("reserve", LineState.UNDONE, 0),
        ("reserve", LineState.DONE, -60),
        ("welcome", LineState.DONE, 100),
    ]
    assert sum(line.amount_kopecks for line in lines) == has(tx)[0]
    assert statement(tx, USER, 1) == lines[:1]
    assert [line.model_id for line in lines] == [None, None, "flux/dev", None]
    assert lines[0].at == NOW


def test_the_audit_sees_sums_that_are_not_those_of_the_transfers(tx: Transaction) -> None:
    give(tx, 100)
    assert books.audit(tx) == books.Audit(is_balanced=True, problems=(), users=1)
    tx.execute("UPDATE accounts SET credits_posted = 150 WHERE account_id = 1001")
    audit = books.audit(tx)
    assert not audit.is_balanced
    assert audit.problems == ("account 1001: the sums are not those of its transfers",)


def test_the_audit_sees_a_deleted_transfer(engine: Engine, tx: Transaction) -> None:
    give(tx, 100)
    engine.allow_any_change(tx)
    tx.execute("DELETE FROM transfers")
    assert not books.audit(tx).is_balanced


@pytest.mark.parametrize("state", list(JobState))
def test_the_audit_compares_each_job_with_its_money(tx: Transaction, state: JobState) -> None:
    give(tx, 100)
    reserve(tx, 60)
    insert_job(tx, state)
    assert books.audit(tx).is_balanced == (not state.is_final)
    ledger.capture(tx, J1, **HOW)
    assert books.audit(tx).is_balanced == (state is JobState.DELIVERED)


class LedgerAgainstModel(RuleBasedStateMachine):
    """Two dictionaries know as much about the money as the ledger does."""

    engine: ClassVar[Engine]

    def __init__(self) -> None:
        super().__init__()
        self.opened = ExitStack()
        self.tx = self.opened.enter_context(self.engine.transaction())
        self.available = {1: 0, 2: 0, 3: 0}
        self.gifts: dict[tuple[int, str], int] = {}
        self.held: dict[int, tuple[int, int]] = {}
        self.ended: dict[int, JobState] = {}
        for user_id in self.available:
            ledger.open_account(self.tx, UserId(user_id), shard=SHARD)

    @override
    def teardown(self) -> None:
        self.opened.close()

    @rule(user_id=st.integers(1, 3), kopecks=st.integers(1, 200), purpose=st.sampled_from("abcdef"))
    def grant(self, user_id: int, kopecks: int, purpose: str) -> None:
        before = self.gifts.get((user_id, purpose))
        if before not in (None, kopecks):
            with pytest.raises(LedgerMismatch):
                give(self.tx, kopecks, purpose=purpose, user_id=user_id)
            return
        outcome = give(self.tx, kopecks, purpose=purpose, user_id=user_id)
        assert isinstance(outcome, Posted if before is None else AlreadyPosted)
        if before is None:
            self.available[user_id] += kopecks
        self.gifts[user_id, purpose] = kopecks

    @rule(number=st.integers(1, 12), user_id=st.integers(1, 3), kopecks=st.integers(0, 120))
    def reserve(self, number: int, user_id: int, kopecks: int) -> None:
        sample = job(number, user_id=user_id, price_kopecks=kopecks)
        before = self.held.get(number)
        if before is not None and before != (user_id, kopecks):
            with pytest.raises(LedgerMismatch):
                reserve(self.tx, kopecks, job_id=sample.job_id, user_id=user_id)
            return
        outcome = reserve(self.tx, kopecks, job_id=sample.job_id, user_id=user_id)
        if before is not None:
            assert isinstance(outcome, AlreadyReserved)
        elif kopecks > self.available[user_id]:
            missing = kopecks - self.available[user_id]
            assert outcome == InsufficientFunds(missing_kopecks=missing)
        else:
            assert isinstance(outcome, Reserved)
            assert jobs.insert(self.tx, sample, shard=SHARD, epoch=EPOCH)
            self.available[user_id] -= kopecks
            self.held[number] = (user_id, kopecks)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), state=st.sampled_from([JobState.DELIVERED, JobState.FAILED]))
    def settle(self, data: st.DataObject, state: JobState) -> None:
        number = data.draw(st.sampled_from(sorted(self.held)))
        user_id, kopecks = self.held[number]
        settle = ledger.capture if state is JobState.DELIVERED else ledger.release
        outcome = settle(self.tx, job(number).job_id, **HOW)
        assert outcome.amount_kopecks == kopecks
        before = self.ended.get(number)
        if before is not None:
            expected = AlreadyCaptured if before is JobState.DELIVERED else AlreadyReleased
            assert isinstance(outcome, expected)
            return
        assert isinstance(outcome, Captured if state is JobState.DELIVERED else Released)
        self.tx.execute("UPDATE jobs SET state = ? WHERE job_id = ?", [state, job(number).job_id])
        self.ended[number] = state
        if state is JobState.FAILED:
            self.available[user_id] += kopecks

    @invariant()
    def balances_are_those_of_the_model(self) -> None:
        for user_id, available in self.available.items():
            reserved = sum(
                kopecks
                for number, (owner, kopecks) in self.held.items()
                if owner == user_id and number not in self.ended
            )
            assert has(self.tx, user_id) == (available, reserved)
            assert available >= 0

    @invariant()
    def the_audit_is_clean(self) -> None:
        assert books.audit(self.tx).problems == ()


def test_the_ledger_agrees_with_its_model(engine: Engine) -> None:
    LedgerAgainstModel.engine = engine
    run_state_machine_as_test(
        LedgerAgainstModel,
        settings=settings(max_examples=engine.examples_max, stateful_step_count=30, deadline=None),
    )
