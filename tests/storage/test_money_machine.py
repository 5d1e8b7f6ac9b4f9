"""Whatever happens to money, in whatever order and wherever it breaks off: a model agrees."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import ClassVar, TypeVar

import pytest
from attrs import define
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

from tests.storage.engine import Engine
from tests.storage.samples import CID, EPOCH, NOW, SHARD, job
from tests.storage.test_ledger import HOW, has, paid
from trt.domain.ids import UserId
from trt.domain.job import JobState
from trt.domain.payments import PaymentState
from trt.storage import admin_actions, books, jobs, ledger, payments
from trt.storage.admin_actions import DoneBefore, Mandate, UnknownUser
from trt.storage.database import Parameters, Rows, Transaction
from trt.storage.errors import LedgerMismatch
from trt.storage.ledger import AlreadyPosted, InsufficientFunds, Posted, Reserved
from trt.storage.payments import (
    NotRefundable,
    RefundEnded,
    RefundHeld,
    TakenBack,
    UnknownPayment,
)
from trt.storage.statement import statement

T = TypeVar("T")
USERS = (1, 2, 3)
NEVER = 1000
USER = st.sampled_from(USERS)
CHARGE = st.integers(1, 6).map(lambda number: f"charge-{number}")
KOPECKS = st.integers(1, 150)
BREAKS = st.one_of(st.just(NEVER), st.integers(0, 8))
"""After how many statements the work breaks off; mostly it does not."""


class Broken(Exception):  # noqa: N818 - what a crash in the middle looks like
    """The process died here."""


@define
class BreakingTransaction(Transaction):
    """A transaction in which the work dies after some statements."""

    _tx: Transaction
    left: int

    @override
    def execute(self, sql: str, parameters: Parameters = (), /) -> Rows:
        if self.left == 0:
            raise Broken
        self.left -= 1
        return self._tx.execute(sql, parameters)

    @override
    def clock(self) -> datetime:
        return NOW

    @override
    def notify(self, topic: str) -> None:
        pass


@define
class PaidModel:
    """What the model remembers of a payment."""

    user_id: int
    kopecks: int
    state: PaymentState


class MoneyAgainstModel(RuleBasedStateMachine):
    """Payments, refunds, chargebacks, the admin and jobs, against what is easy to understand."""

    engine: ClassVar[Engine]

    def __init__(self) -> None:
        super().__init__()
        self.opened = ExitStack()
        self.tx = self.opened.enter_context(self.engine.transaction())
        self.available = dict.fromkeys(USERS, 0)
        self.payments: dict[str, PaidModel] = {}
        self.held: dict[int, tuple[int, int]] = {}
        self.ended: dict[int, JobState] = {}
        self.actions: dict[str, tuple[str, int, int]] = {}
        self.losses = 0
        for user_id in USERS:
            ledger.open_account(self.tx, UserId(user_id), shard=SHARD)

    @override
    def teardown(self) -> None:
        self.opened.close()

    def run(self, work: Callable[[Transaction], T], breaks: int) -> T:
        """Run the work as a transaction; one that breaks off leaves nothing, and is tried again."""
        with suppress(Broken):
            return self.attempt(work, BreakingTransaction(self.tx, breaks))
        self.balances_are_those_of_the_model()
        return self.attempt(work, self.tx)

    def attempt(self, work: Callable[[Transaction], T], tx: Transaction) -> T:
        self.tx.execute("SAVEPOINT work")
        try:
            return work(tx)
        except (Broken, LedgerMismatch):
            self.tx.execute("ROLLBACK TO work")
            raise
        finally:
            self.tx.execute("RELEASE work")

    @rule(charge=CHARGE, user_id=USER, kopecks=KOPECKS, breaks=BREAKS)
    def pay(self, charge: str, user_id: int, kopecks: int, breaks: int) -> None:
        known = self.payments.get(charge)

        def work(tx: Transaction) -> Posted | AlreadyPosted:
            return payments.credit(tx, paid(charge, kopecks, user_id), shard=SHARD, **HOW)

        if known is not None and (known.user_id, known.kopecks) != (user_id, kopecks):
            with pytest.raises(LedgerMismatch):
                self.run(work, breaks)
            return
        assert isinstance(self.run(work, breaks), AlreadyPosted if known else Posted)
        if known is None:
            self.payments[charge] = PaidModel(user_id, kopecks, PaymentState.CREDITED)
            self.available[user_id] += kopecks

    @precondition(lambda self: self.payments)
    @rule(data=st.data(), breaks=BREAKS)
    def pay_again(self, data: st.DataObject, breaks: int) -> None:
        charge = data.draw(st.sampled_from(sorted(self.payments)))
        known = self.payments[charge]
        self.pay(charge, known.user_id, known.kopecks, breaks)

    @rule(charge=CHARGE, breaks=BREAKS)
    def ask_refund(self, charge: str, breaks: int) -> None:
        known = self.payments.get(charge)
        key = paid(charge, 1).key
        outcome = self.run(lambda tx: payments.ask_refund(tx, key, **HOW), breaks)
        if known is None:
            assert outcome == UnknownPayment()
        elif known.state is not PaymentState.CREDITED:
            assert outcome == NotRefundable(known.state)
        elif known.kopecks > self.available[known.user_id]:
            missing = known.kopecks - self.available[known.user_id]
            assert outcome == InsufficientFunds(missing_kopecks=missing)
        else:
            assert isinstance(outcome, RefundHeld)
            known.state = PaymentState.REFUNDING
            self.available[known.user_id] -= known.kopecks

    @precondition(lambda self: self.payments)
    @rule(data=st.data(), is_done=st.booleans(), breaks=BREAKS)
    def end_refund(self, data: st.DataObject, breaks: int, *, is_done: bool) -> None:
        charge = data.draw(st.sampled_from(sorted(self.payments)))
        known, key = self.payments[charge], paid(charge, 1).key
        outcome = self.run(lambda tx: payments.end_refund(tx, key, is_done=is_done, **HOW), breaks)
        if known.state is not PaymentState.REFUNDING:
            assert outcome is None
            return
        assert isinstance(outcome, RefundEnded)
        known.state = PaymentState.REFUNDED if is_done else PaymentState.CREDITED
        if not is_done:
            self.available[known.user_id] += known.kopecks

    @rule(charge=CHARGE, user_id=USER, kopecks=KOPECKS, breaks=BREAKS)
    def goes_back_outside(self, charge: str, user_id: int, kopecks: int, breaks: int) -> None:
        """A payment goes back without us: one that we know, or one that nobody told us of."""
        before = self.payments.get(charge)
        known = before or PaidModel(user_id, kopecks, PaymentState.CREDITED)
        payment = paid(charge, known.kopecks, known.user_id)
        outcome = self.run(lambda tx: payments.take_back(tx, payment, shard=SHARD, **HOW), breaks)
        if before is None:
            self.payments[charge] = known
            self.available[user_id] += kopecks
        match known.state:
            case PaymentState.CREDITED:
                covered = max(0, known.kopecks - self.available[known.user_id])
                assert outcome == TakenBack(payment=payment, covered_kopecks=covered)
                self.available[known.user_id] += covered - known.kopecks
                self.losses += covered
                known.state = PaymentState.DISPUTED
            case PaymentState.REFUNDING:
                assert isinstance(outcome, RefundEnded)
                known.state = PaymentState.REFUNDED
            case _:
                assert outcome is None

    @rule(
        number=st.integers(1, 8),
        kind=st.sampled_from(["credit", "debit"]),
        user_id=st.sampled_from([*USERS, 9]),
        kopecks=KOPECKS,
        breaks=BREAKS,
    )
    def admin(self, number: int, kind: str, user_id: int, kopecks: int, breaks: int) -> None:
        action_id = f"action-{number}"
        known = self.actions.get(action_id)
        adjust = admin_actions.credit if kind == "credit" else admin_actions.debit

        def work(tx: Transaction) -> object:
            return adjust(tx, mandate(action_id), UserId(user_id), kopecks)

        if user_id == 9:
            assert self.run(work, breaks) == UnknownUser()
            return
        if known is not None and known != (kind, user_id, kopecks):
            is_short = kind == "debit" and kopecks > self.available[user_id]
            if is_short and (known[0] == "credit"):
                assert isinstance(self.run(work, breaks), InsufficientFunds)
                return
            with pytest.raises(LedgerMismatch):
                self.run(work, breaks)
            return
        outcome = self.run(work, breaks)
        if known is not None:
            assert isinstance(outcome, AlreadyPosted)
        elif kind == "debit" and kopecks > self.available[user_id]:
            missing = kopecks - self.available[user_id]
            assert outcome == InsufficientFunds(missing_kopecks=missing)
        else:
            assert isinstance(outcome, Posted)
            self.actions[action_id] = (kind, user_id, kopecks)
            self.available[user_id] += kopecks if kind == "credit" else -kopecks

    @rule(charge=CHARGE, number=st.integers(20, 24), breaks=BREAKS)
    def admin_refund(self, charge: str, number: int, breaks: int) -> None:
        action_id = f"action-{number}"
        known = self.payments.get(charge)
        before = self.actions.get(action_id)

        def work(tx: Transaction) -> object:
            return admin_actions.refund(tx, mandate(action_id), charge)

        if known is None:
            assert self.run(work, breaks) == UnknownPayment()
            return
        if before is not None:
            if before == (charge, known.user_id, known.kopecks):
                assert self.run(work, breaks) == DoneBefore()
                return
            with pytest.raises(LedgerMismatch):
                self.run(work, breaks)
            return
        state, free = known.state, self.available[known.user_id]
        outcome = self.run(work, breaks)
        is_free = state is PaymentState.CREDITED and known.kopecks <= free
        assert isinstance(outcome, RefundHeld) == is_free
        if is_free:
            known.state = PaymentState.REFUNDING
            self.available[known.user_id] -= known.kopecks
            self.actions[action_id] = (charge, known.user_id, known.kopecks)

    @rule(number=st.integers(1, 12), user_id=USER, kopecks=st.integers(0, 120), breaks=BREAKS)
    def order(self, number: int, user_id: int, kopecks: int, breaks: int) -> None:
        if number in self.held:
            return
        outcome = self.run(lambda tx: hold(tx, number, user_id, kopecks), breaks)
        if kopecks > self.available[user_id]:
            missing = kopecks - self.available[user_id]
            assert outcome == InsufficientFunds(missing_kopecks=missing)
            return
        assert isinstance(outcome, Reserved)
        self.available[user_id] -= kopecks
        self.held[number] = (user_id, kopecks)

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(),
        state=st.sampled_from([JobState.DELIVERED, JobState.FAILED]),
        breaks=BREAKS,
    )
    def end(self, data: st.DataObject, state: JobState, breaks: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.held)))
        user_id, kopecks = self.held[number]
        self.run(lambda tx: end(tx, number, state), breaks)
        if number in self.ended:
            return
        self.ended[number] = state
        if state is JobState.FAILED:
            self.available[user_id] += kopecks

    @invariant()
    def balances_are_those_of_the_model(self) -> None:
        for user_id, available in self.available.items():
            jobs_hold = sum(
                kopecks
                for number, (owner, kopecks) in self.held.items()
                if owner == user_id and number not in self.ended
            )
            refunds_hold = sum(
                known.kopecks
                for known in self.payments.values()
                if known.user_id == user_id and known.state is PaymentState.REFUNDING
            )
            assert has(self.tx, user_id) == (available, jobs_hold + refunds_hold)
            assert available >= 0

    @invariant()
    def the_audit_is_clean(self) -> None:
        assert books.audit(self.tx).problems == ()
        for user_id in USERS:
            assert books.audit(self.tx, after=user_id - 1, upto=user_id).problems == ()

    @invariant()
    def a_statement_adds_up(self) -> None:
        for user_id, available in self.available.items():
            lines = statement(self.tx, UserId(user_id), 1000)
            assert sum(line.amount_kopecks for line in lines) == available

    @invariant()
    def only_what_was_spent_before_is_a_loss(self) -> None:
        [covered] = self.tx.execute(
            "SELECT COALESCE(sum(amount_kopecks), 0) FROM transfers WHERE debit_account_id = -4"
        ).one()
        assert covered == self.losses


def hold(tx: Transaction, number: int, user_id: int, kopecks: int) -> object:
    """Hold a job's price and store the job, or neither."""
    sample = job(number, user_id=user_id, price_kopecks=kopecks)
    held = ledger.reserve(
        tx, job_id=sample.job_id, user_id=sample.user_id, amount_kopecks=kopecks, **HOW
    )
    if isinstance(held, Reserved):
        assert jobs.insert(tx, sample, shard=SHARD, epoch=EPOCH)
    return held


def end(tx: Transaction, number: int, state: JobState) -> object:
    """Take a job's money or give it back, and end the job."""
    settle = ledger.capture if state is JobState.DELIVERED else ledger.release
    settled = settle(tx, job(number).job_id, **HOW)
    tx.execute(
        "UPDATE jobs SET state = ? WHERE job_id = ? AND state = 'reserved'",
        [state, job(number).job_id],
    )
    return settled


def mandate(action_id: str) -> Mandate:
    return Mandate(
        action_id=action_id, admin="test", reason="because", cid=CID, epoch=EPOCH, now=NOW
    )


def test_money_agrees_with_its_model(engine: Engine) -> None:
    MoneyAgainstModel.engine = engine
    run_state_machine_as_test(
        MoneyAgainstModel,
        settings=settings(max_examples=engine.examples_max, stateful_step_count=30, deadline=None),
    )
