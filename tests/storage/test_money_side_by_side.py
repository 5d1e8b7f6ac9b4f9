"""Whatever happens to money at the same time, from eight workers: a model agrees.

Who wins a race is the database's to say, so the model does not foretell: it checks that what
everybody was told can be true together, and then that the books say the same.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from enum import StrEnum
from functools import partial
from itertools import count
from pathlib import Path
from typing import ClassVar, assert_never

import pytest
import trio
from attrs import define, evolve, field, frozen
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.storage.postgres_fixture import UNHURRIED
from tests.storage.samples import SHARD, new_file, now
from tests.storage.test_ledger import HOW, has, paid
from tests.storage.test_ledger_side_by_side import WORKERS, all_at_once
from tests.storage.test_money_machine import BREAKS, NEVER, BreakingTransaction, Broken, end, hold
from trt.domain.ids import UserId
from trt.domain.job import JobState
from trt.domain.payments import PaymentState
from trt.storage import books, ledger, payments
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
from trt.storage.payments import NotRefundable, RefundEnded, RefundHeld, TakenBack, UnknownPayment
from trt.storage.postgres import open_postgres
from trt.storage.sqlite import open_sqlite

IS_NIGHTLY = os.environ.get("TRT_NIGHTLY") == "1"  # noqa: TID251 - the tests' own settings
EXAMPLES_MAX = 100 if IS_NIGHTLY else 20
BATCHES = 20 if IS_NIGHTLY else 8
USERS = 3
GAME = 100
"""Each example has that many numbers to itself, in a database that keeps those of all."""


class Kind(StrEnum):
    """What can happen."""

    PAY = "pay"
    ASK_REFUND = "ask_refund"
    REFUND_DONE = "refund_done"
    REFUND_DENIED = "refund_denied"
    TAKE_BACK = "take_back"
    HOLD = "hold"
    DELIVER = "deliver"
    FAIL = "fail"


JOB_KINDS = frozenset({Kind.HOLD, Kind.DELIVER, Kind.FAIL})


@frozen
class Deed:
    """One thing that one worker does; whatever is done twice has the same number."""

    kind: Kind
    number: int
    """Of the payment, or of the job."""
    user_id: int
    kopecks: int
    breaks: int
    """After how many statements its process dies, or before it commits."""

    def do(self, tx: Transaction) -> object:
        outcome = self._do(BreakingTransaction(tx, self.breaks))
        if self.breaks != NEVER:
            raise Broken
        return outcome

    def _do(self, tx: Transaction) -> object:
        payment = paid(f"charge-{self.number}", self.kopecks, self.user_id)
        match self.kind:
            case Kind.PAY:
                return payments.credit(tx, payment, shard=SHARD, **HOW)
            case Kind.ASK_REFUND:
                return payments.ask_refund(tx, payment.key, **HOW)
            case Kind.REFUND_DONE | Kind.REFUND_DENIED:
                if payments.find(tx, payment.key) is None:
                    return UnknownPayment()
                is_done = self.kind is Kind.REFUND_DONE
                return payments.end_refund(tx, payment.key, is_done=is_done, **HOW)
            case Kind.TAKE_BACK:
                return payments.take_back(tx, payment, shard=SHARD, **HOW)
            case Kind.HOLD:
                return hold(tx, self.number, self.user_id, self.kopecks)
            case Kind.DELIVER:
                return end(tx, self.number, JobState.DELIVERED)
            case Kind.FAIL:
                return end(tx, self.number, JobState.FAILED)
            case _:
                assert_never(self.kind)


DEED = st.builds(
    Deed,
    kind=st.sampled_from(Kind),
    number=st.integers(1, 5),
    user_id=st.integers(1, USERS),
    kopecks=st.sampled_from([10, 60, 100]),
    breaks=BREAKS,
)
BATCH = st.lists(st.tuples(DEED, st.integers(1, 3)), min_size=4, max_size=16)
"""Each deed with how often it is done."""

Place = PaymentState | JobState | None
"""Where the money of a payment or a job is; None before anybody told of it."""

MOVES: dict[type, tuple[Place, Place]] = {
    Posted: (None, PaymentState.CREDITED),
    RefundHeld: (PaymentState.CREDITED, PaymentState.REFUNDING),
    TakenBack: (PaymentState.CREDITED, PaymentState.DISPUTED),
    Reserved: (None, JobState.RESERVED),
    Captured: (JobState.RESERVED, JobState.DELIVERED),
    Released: (JobState.RESERVED, JobState.FAILED),
    RefundEnded: (PaymentState.REFUNDING, PaymentState.REFUNDED),
}
"""What an outcome says of the money, whatever else is under way."""

STANDS: dict[type, Place] = {
    AlreadyCaptured: JobState.DELIVERED,
    AlreadyReleased: JobState.FAILED,
    UnknownPayment: None,
}
"""Where the money was when an outcome says that it did not move."""


@define
class Thing:
    """A payment or a job as the model knows it."""

    place: Place = None
    user_id: int = 0
    kopecks: int = 0
    covered: int = 0
    """What the operator bears, of a payment that was taken back."""

    def worth(self, place: Place) -> int:
        """What its user has of it to spend, when its money is there; negative for what it takes."""
        match place:
            case PaymentState.CREDITED:
                return self.kopecks
            case PaymentState.DISPUTED:
                return self.covered
            case JobState.RESERVED | JobState.DELIVERED:
                return -self.kopecks
            case _:
                return 0

    @property
    def reserved(self) -> int:
        is_held = self.place in {PaymentState.REFUNDING, JobState.RESERVED}
        return self.kopecks if is_held else 0


@define
class Story:
    """What happened to one thing in one batch, in no order."""

    thing: Thing
    told: list[tuple[Deed, object]] = field(factory=list)
    moves: list[tuple[Place, Place]] = field(factory=list)
    seen: set[Place] = field(factory=set)
    """Where its money was at some moment."""

    def add_up(self) -> None:
        """Move the money; what left twice where it was once cannot be true together."""
        for deed, outcome in self.told:
            self._learn(deed, outcome)
        left = Counter({self.thing.place: 1})
        left.update(to for _, to in self.moves)
        left.subtract(at for at, _ in self.moves)
        if left[None] == 1 and left[PaymentState.CREDITED] == -1:  # told of by who took it back
            left.update({None: -1, PaymentState.CREDITED: 1})
            self.moves.append((None, PaymentState.CREDITED))
        self.seen = {self.thing.place, *(to for _, to in self.moves)}
        assert [times for times in left.values() if times] == [1], self.told
        [self.thing.place] = left.elements()

    def _learn(self, deed: Deed, outcome: object) -> None:
        thing = self.thing
        match outcome:
            case Posted() | Reserved():
                thing.user_id, thing.kopecks = deed.user_id, deed.kopecks
            case TakenBack(payment=payment, covered_kopecks=covered):
                thing.user_id, thing.kopecks = payment.user_id, payment.amount_kopecks
                thing.covered = covered
            case RefundEnded() if deed.kind is Kind.REFUND_DENIED:
                self.moves.append((PaymentState.REFUNDING, PaymentState.CREDITED))
                return
            case _:
                pass
        if (move := MOVES.get(type(outcome))) is not None:
            self.moves.append(move)

    def check_refusal(self, deed: Deed, outcome: object) -> None:
        """Whoever moved nothing was told a reason that was true at some moment."""
        thing, seen = self.thing, self.seen
        is_same = (deed.user_id, deed.kopecks) == (thing.user_id, thing.kopecks)
        match outcome:
            case Broken():
                assert deed.breaks != NEVER
            case AlreadyPosted() | AlreadyReserved():
                assert seen != {None}
                assert is_same
            case LedgerMismatch() if deed.kind in {Kind.DELIVER, Kind.FAIL}:
                assert None in seen
            case LedgerMismatch():
                assert seen != {None}
                assert not is_same
            case AlreadyCaptured() | AlreadyReleased() | UnknownPayment():
                assert STANDS[type(outcome)] in seen
            case NotRefundable(state=state):
                assert state in seen - {PaymentState.CREDITED}
            case None if deed.kind is Kind.TAKE_BACK:
                assert seen & {PaymentState.REFUNDED, PaymentState.DISPUTED}
                assert is_same
            case None:
                assert seen - {None, PaymentState.REFUNDING}
            case _:
                assert type(outcome) in {*MOVES, InsufficientFunds}


class MoneySideBySide(RuleBasedStateMachine):
    """Batches of payments, refunds, takebacks and jobs, each from eight workers at once."""

    database: ClassVar[Database]
    games: ClassVar[Iterator[int]]

    def __init__(self) -> None:
        super().__init__()
        self.first = next(self.games) * GAME
        self.things: dict[tuple[bool, int], Thing] = {}
        self.users = [self.first + number for number in range(1, USERS + 1)]
        trio.from_thread.run(self.database.transact, self.open_accounts)

    def open_accounts(self, tx: Transaction) -> None:
        for user_id in self.users:
            ledger.open_account(tx, UserId(user_id), shard=SHARD)

    @rule(batch=BATCH)
    def all_at_once(self, batch: Sequence[tuple[Deed, int]]) -> None:
        deeds = [self.own(deed) for deed, times in batch for _ in range(times)]
        told: list[tuple[Deed, object]] = []
        trio.from_thread.run(all_at_once, [partial(self.tell, deed, told) for deed in deeds])
        assert len(told) == len(deeds)
        self.check_outcomes(told)
        trio.from_thread.run(self.database.transact, self.check_books)

    def own(self, deed: Deed) -> Deed:
        return evolve(deed, number=self.first + deed.number, user_id=self.first + deed.user_id)

    async def tell(self, deed: Deed, told: list[tuple[Deed, object]]) -> object:
        try:
            outcome = await self.database.transact(deed.do)
        except (Broken, LedgerMismatch) as error:
            outcome = error
        told.append((deed, outcome))
        return outcome

    def check_outcomes(self, told: Sequence[tuple[Deed, object]]) -> None:
        least = {user_id: self.available(user_id) for user_id in self.users}
        most = dict(least)
        stories: dict[tuple[bool, int], Story] = {}
        for deed, outcome in told:
            key = (deed.kind in JOB_KINDS, deed.number)
            thing = self.things.setdefault(key, Thing())
            stories.setdefault(key, Story(thing)).told.append((deed, outcome))
        for story in stories.values():
            story.add_up()
            for at, to in story.moves:
                change = story.thing.worth(to) - story.thing.worth(at)
                least[story.thing.user_id] += min(0, change)
                most[story.thing.user_id] += max(0, change)
        for story in stories.values():
            for deed, outcome in story.told:
                story.check_refusal(deed, outcome)
                if isinstance(outcome, InsufficientFunds):
                    who = story.thing if deed.kind is Kind.ASK_REFUND else deed
                    had = who.kopecks - outcome.missing_kopecks
                    assert max(0, least[who.user_id]) <= had <= most[who.user_id]
                    assert had < who.kopecks

    def available(self, user_id: int) -> int:
        return sum(one.worth(one.place) for one in self.of(user_id))

    def of(self, user_id: int) -> list[Thing]:
        return [one for one in self.things.values() if one.user_id == user_id]

    def check_books(self, tx: Transaction) -> None:
        for user_id in self.users:
            reserved = sum(one.reserved for one in self.of(user_id))
            assert has(tx, user_id) == (self.available(user_id), reserved)
            assert self.available(user_id) >= 0
        audit = books.audit(tx, after=self.first, upto=self.first + GAME)
        assert (audit.problems, audit.users) == ((), USERS)
        [covered] = tx.execute(
            """
            SELECT COALESCE(sum(amount_kopecks), 0) FROM transfers
            WHERE debit_account_id = -4 AND credit_account_id > ? AND credit_account_id < ?
            """,
            [self.first, self.first + GAME],
        ).one()
        assert covered == sum(one.covered for one in self.things.values())


@pytest.fixture(params=["sqlite", "postgres"])
async def side_by_side(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        async with open_sqlite(new_file(tmp_path), now=now) as opened:
            yield opened
        return
    url = request.getfixturevalue("committed_url")
    async with open_postgres(url, pool_max=WORKERS, timeouts=UNHURRIED) as opened:
        yield opened


async def test_money_agrees_with_its_model_side_by_side(side_by_side: Database) -> None:
    MoneySideBySide.database, MoneySideBySide.games = side_by_side, count(1)
    await trio.to_thread.run_sync(
        partial(
            run_state_machine_as_test,
            MoneySideBySide,
            # Not shrunk: a race that was lost once is seldom lost again.
            settings=settings(
                max_examples=EXAMPLES_MAX,
                stateful_step_count=BATCHES,
                deadline=None,
                phases=[Phase.reuse, Phase.generate],
            ),
        )
    )
    audit = await side_by_side.transact(books.audit)
    assert audit.problems == ()
