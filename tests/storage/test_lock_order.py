"""Whatever moves money keeps its user's account first, and no other: nobody waits in a circle."""

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from attrs import define, evolve, field

from tests.domain.talk import COPIES, TILL, catalogue
from tests.storage.samples import CID, EPOCH, NOW, SHARD, USER, inbox_row, job
from tests.storage.test_ledger import HOW, give, paid, reserve
from trt.actors.admin_desk import AdminDesk
from trt.actors.money_desk import MoneyDesk
from trt.domain import callback_data as tap
from trt.domain.ids import CallbackId, ChatId, MessageId, UserId
from trt.domain.inputs import ButtonTapped, FileId, Person
from trt.domain.ledger import TransferKind
from trt.domain.payments import OrderId, TopUp
from trt.domain.turn import HandIn
from trt.storage import admin_actions, ledger, outside_money, payments, topups
from trt.storage.admin_actions import Mandate
from trt.storage.database import Parameters, Rows, Transaction

J1 = job(1).job_id
NEW, KNOWN = paid("new", 30), paid("known", 30)
GRANTED = 100
ADMIN = Person(user_id=UserId(7), chat_id=ChatId(7), first_name="Admin", language_code="en")
OPEN = TopUp(order_id=OrderId("0" * 16), user_id=USER, amount_kopecks=30)
HANDED_IN = evolve(OPEN, order_id=OrderId("1" * 16))

Work = Callable[[Transaction], object]


@define
class Noting:
    """A transaction that notes which tables are written, and whose accounts, in order."""

    tx: Transaction
    written: list[str] = field(factory=list)
    accounts: set[object] = field(factory=set)

    def execute(self, sql: str, parameters: Parameters = (), /) -> Rows:
        """Run a statement, and note what it writes."""
        write = re.match(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)", sql)
        if write is not None:
            self.written.append(write[1])
        if write is not None and write[1] == "accounts":
            assert isinstance(parameters, dict)
            self.accounts.add(parameters["account_id"])
        return self.tx.execute(sql, parameters)

    def clock(self) -> datetime:
        """Return the database's time."""
        return self.tx.clock()

    def notify(self, topic: str) -> None:
        """Wake nobody."""


def mandate(action_id: str = "a1") -> Mandate:
    return Mandate(action_id=action_id, admin="t", reason="why", cid=CID, epoch=EPOCH, now=NOW)


def end_refund(tx: Transaction, *, is_done: bool) -> object:
    payments.ask_refund(tx, KNOWN.key, **HOW)
    return payments.end_refund(tx, KNOWN.key, is_done=is_done, **HOW)


def desk(tx: Transaction) -> MoneyDesk:
    return MoneyDesk(
        tx=tx,
        till=evolve(TILL, admin_id=ADMIN.user_id),
        copies=COPIES,
        catalogue=catalogue(),
        shard=SHARD,
        tell=lambda *_, **__: None,
        **HOW,
    )


def decide(tx: Transaction, *, is_approved: bool) -> object:
    data = tap.dump(tap.DecideReceipt(HANDED_IN.order_id, is_approved=is_approved))
    tapped = ButtonTapped(callback_id=CallbackId("c"), data=data, message_id=MessageId(1))
    return AdminDesk(money=desk(tx), row=inbox_row(1)).hear(tapped)


WORKS: dict[str, Work] = {
    "gift": lambda tx: give(tx, 5, purpose="sorry"),
    "reserve": lambda tx: reserve(tx, 5),
    "capture": lambda tx: (reserve(tx, 5), ledger.capture(tx, J1, **HOW)),
    "release": lambda tx: (reserve(tx, 5), ledger.release(tx, J1, **HOW)),
    "top up": lambda tx: outside_money.top_up(tx, NEW, **HOW),
    "hold a refund": lambda tx: outside_money.hold_refund(tx, KNOWN, 1, **HOW),
    "end a refund": lambda tx: (
        outside_money.hold_refund(tx, KNOWN, 1, **HOW),
        outside_money.end_refund(tx, KNOWN, 1, TransferKind.POST, **HOW),
    ),
    "take back": lambda tx: outside_money.take_back(tx, KNOWN, **HOW),
    "payment": lambda tx: payments.credit(tx, NEW, shard=SHARD, **HOW),
    "payment told again": lambda tx: payments.credit(tx, KNOWN, shard=SHARD, **HOW),
    "refund": lambda tx: payments.ask_refund(tx, KNOWN.key, **HOW),
    "refund done": lambda tx: end_refund(tx, is_done=True),
    "refund refused": lambda tx: end_refund(tx, is_done=False),
    "chargeback": lambda tx: payments.take_back(tx, KNOWN, shard=SHARD, **HOW),
    "chargeback of the unseen": lambda tx: payments.take_back(tx, NEW, shard=SHARD, **HOW),
    "admin credit": lambda tx: admin_actions.credit(tx, mandate(), USER, 5),
    "admin debit": lambda tx: admin_actions.debit(tx, mandate(), USER, 5),
    "admin debit of too much": lambda tx: admin_actions.debit(tx, mandate(), USER, 10_000),
    "admin refund": lambda tx: admin_actions.refund(tx, mandate(), "known"),
    "receipt approved": lambda tx: decide(tx, is_approved=True),
    "receipt rejected": lambda tx: decide(tx, is_approved=False),
}


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_whatever_moves_money_keeps_the_users_account_before_it_writes(
    tx: Transaction, work: Work
) -> None:
    give(tx, GRANTED)
    payments.credit(tx, KNOWN, shard=SHARD, **HOW)
    topups.announce(tx, HANDED_IN, shard=SHARD, **HOW)
    topups.hand_in(tx, HANDED_IN.order_id, "file", epoch=EPOCH, now=NOW)
    noting = Noting(tx)
    work(noting)
    assert noting.written[0] == "accounts"
    assert noting.accounts == {USER}


def test_a_receipt_keeps_nobodys_account(tx: Transaction) -> None:
    topups.announce(tx, OPEN, shard=SHARD, **HOW)
    noting = Noting(tx)
    desk(noting).carry_out(HandIn(topup=OPEN, file_id=FileId("file"), is_photo=True))
    assert noting.written == ["topups", "outbox"]
