"""Money stays right while many transactions move it at once: PostgreSQL runs them side by side."""

import random
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

import pytest
import trio

from tests.storage.samples import CID, EPOCH, NOW, SHARD, USER, job
from tests.storage.test_ledger import HOW, give, has, paid, reserve
from trt.domain.ids import JobId, UserId
from trt.domain.payments import PaymentState
from trt.storage import admin_actions, books, jobs, ledger, payments
from trt.storage.admin_actions import Mandate
from trt.storage.database import Database, Row, Transaction
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
from trt.storage.postgres import open_postgres

WORKERS = 8
J1 = job(1).job_id


@pytest.fixture
async def server(committed_url: str) -> AsyncIterator[Database]:
    async with open_postgres(committed_url, pool_max=WORKERS) as opened:
        # From the first moment on there is a connection for everybody.
        together = threading.Barrier(WORKERS)
        async with trio.open_nursery() as nursery:
            for _ in range(WORKERS):
                nursery.start_soon(opened.transact, lambda _: together.wait(5))
        await opened.transact(give, 100)
        yield opened


async def all_at_once(works: Sequence[Callable[[], Awaitable[object]]]) -> Counter[type]:
    """Run everything from as many workers as there are connections; count the kinds of outcome."""
    outcomes: Counter[type] = Counter()
    waiting = list(reversed(works))

    async def work_on() -> None:
        while waiting:
            try:
                outcomes[type(await waiting.pop()())] += 1
            except LedgerMismatch:
                outcomes[LedgerMismatch] += 1

    async with trio.open_nursery() as nursery:
        for _ in range(WORKERS):
            nursery.start_soon(work_on)
    return outcomes


async def assert_books(server: Database, *, available: int, reserved: int) -> None:
    assert await server.transact(has) == (available, reserved)
    audit = await server.transact(books.audit)
    assert audit.problems == ()


def order(tx: Transaction, number: int, kopecks: int) -> object:
    """What a tap on the confirmation does: the job and its money, or neither."""
    jobs.insert(tx, job(number), shard=SHARD, epoch=EPOCH)
    return reserve(tx, kopecks, job_id=job(number).job_id)


def pay(
    tx: Transaction, external_id: str, kopecks: int = 10, user_id: int = USER
) -> Posted | AlreadyPosted:
    return payments.credit(tx, paid(external_id, kopecks, user_id), shard=SHARD, **HOW)


async def test_no_more_is_held_than_there_is(server: Database) -> None:
    orders = [partial(server.transact, order, number, 10) for number in range(40)]
    assert await all_at_once(orders) == {Reserved: 10, InsufficientFunds: 30}
    await assert_books(server, available=0, reserved=100)
    held = await server.transact(lambda tx: tx.execute("SELECT count(*) FROM jobs").one())
    assert held == (10,)


async def test_one_payment_is_credited_once(server: Database) -> None:
    payments = [partial(server.transact, pay, "charge-1") for _ in range(30)]
    assert await all_at_once(payments) == {Posted: 1, AlreadyPosted: 29}
    await assert_books(server, available=110, reserved=0)


async def test_one_payment_is_credited_to_one_user(server: Database) -> None:
    payments = [partial(server.transact, pay, "charge-1", 10, user) for user in range(1, 31)]
    assert await all_at_once(payments) == {Posted: 1, LedgerMismatch: 29}
    await assert_books(server, available=100, reserved=0)


async def test_a_retry_that_differs_is_an_error_and_changes_nothing(server: Database) -> None:
    payments = [partial(server.transact, pay, "charge-1", 10 + n % 2) for n in range(30)]
    outcomes = await all_at_once(payments)
    assert (outcomes[Posted], outcomes[LedgerMismatch]) == (1, 15)
    available = (await server.transact(has))[0]
    assert available in {110, 111}
    await assert_books(server, available=available, reserved=0)


async def test_held_money_is_taken_or_given_back_but_once(server: Database) -> None:
    def settle(tx: Transaction, number: int) -> object:
        how = ledger.capture if number % 2 else ledger.release
        return how(tx, J1, cid=CID, epoch=EPOCH, now=NOW)

    await server.transact(reserve, 60)
    outcomes = await all_at_once([partial(server.transact, settle, n) for n in range(40)])
    if outcomes[Captured]:
        assert outcomes == {Captured: 1, AlreadyCaptured: 39}
    else:
        assert outcomes == {Released: 1, AlreadyReleased: 39}
    state = "delivered" if outcomes[Captured] else "failed"
    await server.transact(insert_ended, state)
    await assert_books(server, available=40 if outcomes[Captured] else 100, reserved=0)


def insert_ended(tx: Transaction, state: str) -> None:
    jobs.insert(tx, job(1), shard=SHARD, epoch=EPOCH)
    tx.execute("UPDATE jobs SET state = :state", {"state": state})


async def test_an_order_that_is_repeated_is_held_once(server: Database) -> None:
    orders = [partial(server.transact, order, 1, 60) for _ in range(30)]
    assert await all_at_once(orders) == {Reserved: 1, AlreadyReserved: 29}
    await assert_books(server, available=40, reserved=60)


async def test_a_gift_is_given_once_to_a_user_who_taps_wildly(server: Database) -> None:
    gifts = [partial(server.transact, give, 100, user_id=7) for _ in range(30)]
    assert await all_at_once(gifts) == {Posted: 1, AlreadyPosted: 29}
    await assert_books(server, available=100, reserved=0)


async def test_the_audit_is_never_wrong_about_books_that_move(server: Database) -> None:
    """It reads three tables; what is written in between must not look like a fault."""
    problems: list[str] = []
    is_over = False

    async def audit() -> None:
        while not is_over:
            problems.extend((await server.transact(books.audit)).problems)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(audit)
        await all_at_once([partial(server.transact, move, number) for number in range(60)])
        is_over = True
    assert problems == []


def move(tx: Transaction, number: int) -> JobId:
    """Hold and give back, in one transaction with the job's row."""
    sample = job(number)
    jobs.insert(tx, sample, shard=SHARD, epoch=EPOCH)
    reserve(tx, 1, job_id=sample.job_id)
    ledger.release(tx, sample.job_id, cid=CID, epoch=EPOCH, now=NOW)
    tx.execute("UPDATE jobs SET state = 'failed' WHERE job_id = ?", [sample.job_id])
    return sample.job_id


async def test_money_from_outside_moves_once_whoever_tells_of_it(server: Database) -> None:
    """Payments, their repetitions, refunds, chargebacks, the admin and jobs, all at once."""
    keys = [f"stx{number}" for number in range(6)]
    works: list[Callable[[], Awaitable[object]]] = []
    for number, charge in enumerate(keys):
        user = 2 + number % 2
        works += [partial(server.transact, pay, charge, 50, user) for _ in range(6)]
        works += [partial(server.transact, refund, charge) for _ in range(3)]
        works += [partial(server.transact, end_refund, charge, number) for _ in range(3)]
        works += [partial(server.transact, go_back, charge, user) for _ in range(3)]
        works += [partial(server.transact, give_by_hand, number, user) for _ in range(3)]
        works += [partial(server.transact, spend, 100 * user + number, user) for _ in range(2)]
    random.Random(1).shuffle(works)
    await all_at_once(works)
    audit = await server.transact(books.audit)
    assert audit.problems == ()
    seen = await server.transact(lambda tx: tx.execute("SELECT count(*) FROM payments").one())
    assert seen == (len(keys),)
    # Each went back, by us or without us, and by now nothing is under way.
    states = {state for (state,) in await rows(server, "SELECT state FROM payments")}
    assert states <= {PaymentState.REFUNDED, PaymentState.DISPUTED, PaymentState.REFUNDING}
    actions = await rows(server, "SELECT count(*) FROM admin_actions")
    assert actions == [(len(keys),)]


async def rows(server: Database, sql: str) -> list[Row]:
    return list(await server.transact(lambda tx: tx.execute(sql)))


def refund(tx: Transaction, charge: str) -> object:
    return payments.ask_refund(tx, paid(charge, 50).key, **HOW)


def end_refund(tx: Transaction, charge: str, number: int) -> object:
    known = payments.find(tx, paid(charge, 50).key)
    if known is None:
        return None
    is_done = number % 3 != 0
    return payments.end_refund(tx, known.payment.key, is_done=is_done, **HOW)


def go_back(tx: Transaction, charge: str, user_id: int) -> object:
    return payments.take_back(tx, paid(charge, 50, user_id), shard=SHARD, **HOW)


def give_by_hand(tx: Transaction, number: int, user_id: int) -> object:
    ledger.open_account(tx, UserId(user_id), shard=SHARD)
    mandate = Mandate(
        action_id=f"a{number}", admin="t", reason="because", cid=CID, epoch=EPOCH, now=NOW
    )
    return admin_actions.credit(tx, mandate, UserId(user_id), 5)


def spend(tx: Transaction, number: int, user_id: int) -> object:
    sample = job(number, user_id=user_id, price_kopecks=7)
    ledger.open_account(tx, sample.user_id, shard=SHARD)
    if not jobs.insert(tx, sample, shard=SHARD, epoch=EPOCH):
        return None
    return reserve(tx, 7, job_id=sample.job_id, user_id=user_id)
