"""An operator moves money once, with a reason, and its owner is told, on either engine."""

import pytest

from tests.ops.samples import CID, NOW, SHARD, USER
from trt.catalog.copy_loader import load_copies
from trt.cli import main
from trt.domain.admin_orders import kopecks_of
from trt.domain.payments import Payment, PaymentKey, Source
from trt.ops.database_door import Door
from trt.ops.money import Deed, Refused, Told, adjust, refund
from trt.storage import books, ledger, payments
from trt.storage.admin_actions import ActionKind
from trt.storage.engines import DatabaseAddress, SQLiteAddress
from trt.storage.errors import LedgerMismatch

COPIES = load_copies()
PAYMENT = Payment(
    key=PaymentKey(Source.STARS, "stx"),
    user_id=USER,
    amount_kopecks=10_140,
    stars=100,
    order_id=None,
)


def deed(kind: ActionKind, number: int = 1) -> Deed:
    return Deed(kind=kind, action_id=f"a{number}", by="anna", because="sorry", cid=CID)


async def moves(door: Door, kind: ActionKind, kopecks: int, number: int = 1) -> Told | Refused:
    return await door.db.transact(adjust, deed(kind, number), USER, kopecks, COPIES, NOW)


async def pays(door: Door) -> None:
    await door.db.transact(payments.credit, PAYMENT, shard=SHARD, cid=CID, epoch=1, now=NOW)


async def messages(door: Door) -> int:
    [found] = await door.db.transact(lambda tx: tx.execute("SELECT count(*) FROM outbox").one())
    return int(found)


async def test_money_is_given_and_taken_once_per_id(door: Door) -> None:
    assert isinstance(await moves(door, ActionKind.CREDIT, 100), Refused)
    await pays(door)
    for _ in range(2):
        assert isinstance(await moves(door, ActionKind.CREDIT, 100), Told)
    for _ in range(2):
        assert isinstance(await moves(door, ActionKind.DEBIT, 40, 2), Told)
    balance = await door.db.transact(ledger.balance, USER)
    assert balance.available_kopecks == 10_200
    assert await messages(door) == 2
    too_much = await moves(door, ActionKind.DEBIT, 10_201, 3)
    assert too_much == Refused("RUB 0.01 are missing: spent, or held by jobs")
    with pytest.raises(LedgerMismatch):
        await moves(door, ActionKind.CREDIT, 99)
    assert (await door.db.transact(books.audit)).problems == ()


async def test_a_refund_holds_the_money_and_the_service_does_the_rest(door: Door) -> None:
    unknown = await door.db.transact(refund, deed(ActionKind.REFUND), "stx", COPIES, NOW)
    assert isinstance(unknown, Refused)
    await pays(door)
    for _ in range(2):
        begun = await door.db.transact(refund, deed(ActionKind.REFUND), "stx", COPIES, NOW)
        assert isinstance(begun, Told)
    again = await door.db.transact(refund, deed(ActionKind.REFUND, 2), "stx", COPIES, NOW)
    assert again == Refused("it cannot be refunded: it is refunding")
    [waiting] = await door.db.transact(payments.refunding, shard=SHARD, limit=10)
    assert waiting.payment == PAYMENT
    assert await messages(door) == 1


async def test_what_was_spent_is_not_refunded(door: Door) -> None:
    await pays(door)
    await moves(door, ActionKind.DEBIT, 1)
    refused = await door.db.transact(refund, deed(ActionKind.REFUND, 2), "stx", COPIES, NOW)
    assert isinstance(refused, Refused)
    assert "RUB 0.01" in refused.words
    assert (await door.db.transact(books.audit)).problems == ()


def test_the_commands_say_how_it_ended(
    address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if isinstance(address, SQLiteAddress):
        url = f"sqlite:///{address.path}"
    else:
        url = address.url.reveal()
    monkeypatch.setenv("DATABASE_URL", url)
    assert main(["ops", "credit", "1001", "99.50", "--reason", "sorry"]) == 1
    assert "nobody with the number 1001" in capsys.readouterr().err
    assert main(["ops", "refund", "stx", "--reason", "sorry", "--id", "x"]) == 1
    assert "no such payment" in capsys.readouterr().err
    for wrong in (["credit", "1001", "0"], ["debit", "x", "1"], ["credit", "1001", "1"]):
        with pytest.raises(SystemExit):
            main(["ops", *wrong])


def test_amounts_are_rubles_with_two_decimals() -> None:
    assert [kopecks_of(raw) for raw in ("1", "0.5", "1,05", "99.50")] == [100, 50, 105, 9950]
    for wrong in ("0", "-1", "1.005", "NaN", "Infinity", "1e9", "x", ""):
        assert kopecks_of(wrong) is None
