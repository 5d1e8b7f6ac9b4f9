"""The operator hears of each kind of trouble once an hour, whoever of the instances tells."""

from datetime import timedelta

from tests.storage.samples import CID, later
from trt.storage import alarms
from trt.storage.database import Transaction

HOUR_S = 3600.0


def noted(tx: Transaction, kind: str, at_s: float) -> bool:
    now = later(at_s)
    return alarms.note(tx, kind, CID, now=now, unless_since=now - timedelta(seconds=HOUR_S))


def test_one_of_a_kind_is_told_in_an_hour(tx: Transaction) -> None:
    told = [noted(tx, "alarm.books", at_s) for at_s in (0, 1, HOUR_S - 1, HOUR_S, HOUR_S + 1)]
    assert told == [True, False, False, True, False]


def test_another_kind_is_told_all_the_same(tx: Transaction) -> None:
    assert noted(tx, "alarm.books", 0)
    assert noted(tx, "alarm.drift", 0)
