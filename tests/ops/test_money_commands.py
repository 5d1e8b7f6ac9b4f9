"""The money commands through the command line: what they do, print, refuse and return."""

import re
import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest
import trio

from tests.ops.samples import CID, NOW, SHARD, USER, now
from trt.cli import main
from trt.domain.payments import OrderId, Payment, PaymentKey, Source, TopUp
from trt.ops.database_door import open_door
from trt.ops.money_commands import USER_MAX
from trt.storage import payments
from trt.storage.engines import DatabaseAddress, PostgresAddress, SQLiteAddress

PAYMENT = Payment(
    key=PaymentKey(Source.STARS, "stx"),
    user_id=USER,
    amount_kopecks=10_140,
    stars=100,
    order_id=None,
)
Rows = Callable[[str], list[Any]]


@pytest.fixture
def paid(address: DatabaseAddress) -> None:
    """A user who has paid 101.40 rubles."""

    pay(address, PAYMENT)


def pay(address: DatabaseAddress, payment: Payment) -> None:
    async def credit() -> None:
        async with open_door(address, now=now) as door:
            await door.db.transact(payments.credit, payment, shard=SHARD, cid=CID, epoch=1, now=NOW)

    trio.run(credit)


@pytest.fixture
def rows(address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch) -> Rows:
    """Reads the database behind the commands' back; they find it in the environment."""
    match address:
        case SQLiteAddress(path=path):
            monkeypatch.setenv("DATABASE_URL", f"sqlite:///{path}")
        case PostgresAddress(url=url):
            monkeypatch.setenv("DATABASE_URL", url.reveal())

    def read(sql: str) -> list[Any]:
        if isinstance(address, SQLiteAddress):
            with closing(sqlite3.connect(address.path)) as file:
                return file.execute(sql).fetchall()
        with psycopg.connect(address.url.reveal()) as server:
            return server.execute(sql.encode()).fetchall()

    return read


def spendable(rows: Rows) -> int:
    sql = "SELECT credits_posted - debits_posted - debits_pending FROM accounts "
    [(kopecks,)] = rows(f"{sql} WHERE account_id = {USER}")
    return int(kopecks)


@pytest.mark.usefixtures("paid")
def test_credit_gives_once_per_id_tells_the_user_and_names_the_story(
    rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    order = ["ops", "credit", str(USER), "99.50", "--reason", "sorry", "--id", "ticket-7"]
    assert main(order) == 0
    said = capsys.readouterr().out
    assert "RUB 200.90" in said
    named = re.search(r"--id ticket-7, cid ([0-9a-f]{8})", said)
    assert named is not None
    assert main(order) == 0
    assert "done before under --id ticket-7: nothing changed" in capsys.readouterr().out
    assert spendable(rows) == 20_090
    assert rows("SELECT kind, reason FROM admin_actions") == [("credit", "sorry")]
    assert rows("SELECT cid FROM outbox") == [(named[1],)]
    assert main([*order[:3], "1", *order[4:]]) == 1
    assert "--id ticket-7 stood for another deed before" in capsys.readouterr().err
    assert spendable(rows) == 20_090


@pytest.mark.usefixtures("paid")
def test_debit_takes_what_there_is_and_names_what_is_missing(
    rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ops", "debit", str(USER), "1.40", "--reason", "mistake"]) == 0
    assert "RUB 100.00" in capsys.readouterr().out
    assert main(["ops", "debit", str(USER), "100.01", "--reason", "mistake"]) == 1
    assert "RUB 0.01 are missing" in capsys.readouterr().err
    assert spendable(rows) == 10_000


@pytest.mark.usefixtures("paid")
def test_refund_holds_the_payment_and_says_what_cannot_go_back(
    rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ops", "refund", "nosuch", "--reason", "asked"]) == 1
    assert "copy its charge id from `/payments USER`" in capsys.readouterr().err
    assert main(["ops", "refund", "stx", "--reason", "asked"]) == 0
    assert f"RUB 101.40 of user {USER} are held" in capsys.readouterr().out
    assert main(["ops", "refund", "stx", "--reason", "asked"]) == 1
    assert "it is refunding" in capsys.readouterr().err
    assert rows("SELECT state FROM payments") == [("refunding",)]
    assert spendable(rows) == 0


def test_refund_of_a_transfer_prints_what_to_do_by_hand(
    rows: Rows, address: DatabaseAddress, capsys: pytest.CaptureFixture[str]
) -> None:
    topup = TopUp(order_id=OrderId("0badcafe00000000"), user_id=USER, amount_kopecks=10_005)
    pay(address, topup.payment)
    assert main(["ops", "refund", topup.order_id, "--reason", "asked"]) == 1
    said = capsys.readouterr().err
    assert "transfer by hand of RUB 100.05" in said
    assert spendable(rows) == 10_005
    by_hand = re.search(r"`trt (ops debit [^`]+)`", said)
    assert by_hand is not None
    assert main(shlex.split(by_hand[1])) == 0
    assert spendable(rows) == 0
    reason = f"transfer {topup.order_id} sent back"
    assert rows("SELECT kind, reason FROM admin_actions") == [("debit", reason)]


WRONG = [
    (["credit", "anna", "1", "--reason", "x"], "user", "'anna'", f"1 to {USER_MAX}"),
    (["credit", "0", "1", "--reason", "x"], "user", "'0'", "/paysupport"),
    (["credit", "9" * 30, "1", "--reason", "x"], "user", "9" * 30, f"1 to {USER_MAX}"),
    (["credit", "1001", "0", "--reason", "x"], "rubles", "'0'", "0.01 to 1000000 rubles"),
    (["debit", "1001", "1000000.01", "--reason", "x"], "rubles", "1000000.01", "0.01 to 1000000"),
    (["debit", "1001", "1.005", "--reason", "x"], "rubles", "'1.005'", "such as 99.50"),
    (["debit", "1001", "1"], "--reason", "required", "--reason"),
    (["debit", "1001", "1", "--reason", " "], "--reason", "0 characters", "1 to 300"),
    (["refund", "stx", "--reason", "x" * 301], "--reason", "301 characters", "1 to 300"),
    (["refund", "stx"], "--reason", "required", "--reason"),
    (["refund", "", "--reason", "x"], "charge", "0 characters", "say something"),
]


@pytest.mark.parametrize(("order", "field", "value", "mend"), WRONG)
def test_a_wrong_order_names_the_field_the_value_the_limit_and_the_mend(
    order: list[str], field: str, value: str, mend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["ops", *order])
    assert refused.value.code == 2
    said = capsys.readouterr().err
    assert field in said
    assert value in said
    assert mend in said
