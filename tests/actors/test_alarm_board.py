"""What the operator has to hear of: which events, in words, once an hour each."""

from datetime import UTC, datetime, timedelta

import pytest
import trio

from trt.actors.alarm_board import AlarmBoard
from trt.catalog.copy_loader import load_copies
from trt.domain.alarm_screens import alarm_notice
from trt.domain.ids import Cid
from trt.domain.reasons import ALARMS
from trt.telemetry.events import CATALOGUE, Event, EventName, FieldValue

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CID = Cid("1a2b3c4d")
COPIES = load_copies()
MONEY: dict[str, FieldValue] = {"amount_kopecks": 10_140, "external_id": "stx<1>"}
TROUBLES: list[tuple[EventName, dict[str, FieldValue], str]] = [
    (EventName.BOOKS_BROKEN, {"problems_count": 3, "detail": "x"}, "3"),
    (EventName.CREDITS_DRIFT, {"job_id": "j", "expected": "0.8", "consumed": "1.4"}, "1.4"),
    (EventName.PAYMENT_ODD, {"detail": "100 USD"}, "Telegram"),
    (EventName.PAYMENT_TAKEN_BACK, MONEY | {"source": "stars", "covered_kopecks": 63}, "0,63 ₽"),
    (
        EventName.STARS_FOREIGN,
        {"external_id": "stx<1>", "stars": 50},
        "⭐50, номер <code>stx&lt;1&gt;</code>",
    ),
    (EventName.STARS_UNKNOWN, MONEY | {"stars": 100}, "stx&lt;1&gt;"),
    (EventName.STARS_WENT, {"external_id": "x", "stars": 7, "kind": "other"}, "7"),
    (EventName.STARS_RECONCILED, {"seen": 9, "credited": 2, "taken_back": 1}, "2"),
    (EventName.REFUND_ENDED, MONEY | {"outcome": "refused"}, "101,40 ₽"),
    (
        EventName.DISPATCH_FAIL,
        {"reason_code": "x", "kind": "successful_payment"},
        "Платёж по нашему счёту учтёт ежечасная сверка",
    ),
]
TROUBLES += [
    (EventName.OPERATOR_ALARM, {"reason_code": reason, "job_id": "j"}, "trt ops trace")
    for reason in sorted(ALARMS)
]
NEWS: list[tuple[EventName, dict[str, FieldValue]]] = [
    (EventName.STARS_RECONCILED, {"seen": 9, "credited": 0, "taken_back": 0}),
    (EventName.REFUND_ENDED, MONEY | {"outcome": "refunded"}),
    (EventName.DISPATCH_FAIL, {"reason_code": "x", "kind": "callback_query"}),
    (EventName.PAYMENT_CREDITED, MONEY | {"source": "stars"}),
]


def event(name: EventName, fields: dict[str, FieldValue], at_s: float = 0.0) -> Event:
    told = fields | {"cid": CID}
    assert CATALOGUE[name].problem(told) is None
    at = NOW + timedelta(seconds=at_s)
    return Event(name=name, level=CATALOGUE[name].level, at=at, fields=told)


@pytest.mark.parametrize(("name", "fields", "word"), TROUBLES)
def test_every_trouble_is_told_with_its_number_in_both_languages(
    name: EventName, fields: dict[str, FieldValue], word: str
) -> None:
    board = AlarmBoard()
    board(event(name, fields))
    [alarm] = board.waiting()
    text = alarm_notice(COPIES.of("ru"), alarm.key, alarm.cid, alarm.values).text
    assert word in text
    assert f"trt ops trace {CID}" in text
    assert CID in alarm_notice(COPIES.of("en"), alarm.key, alarm.cid, alarm.values).text


@pytest.mark.parametrize(("name", "fields"), NEWS)
def test_what_is_in_order_is_no_alarm(name: EventName, fields: dict[str, FieldValue]) -> None:
    board = AlarmBoard()
    board(event(name, fields))
    assert board.waiting() == ()


def test_the_first_of_a_kind_waits_and_the_next_may_come_an_hour_later() -> None:
    board = AlarmBoard()
    for count, at_s in enumerate((0.0, 1.0), 1):
        board(event(EventName.BOOKS_BROKEN, {"problems_count": count, "detail": ""}, at_s))
    [first] = board.waiting()
    assert first.values["problems_count"] == 1
    board.told(first)
    assert board.waiting() == ()
    for at_s, waiting in ((3599.0, 0), (3600.0, 1)):
        board(event(EventName.BOOKS_BROKEN, {"problems_count": 1, "detail": ""}, at_s))
        assert len(board.waiting()) == waiting


async def test_who_waits_is_woken_by_an_alarm_and_by_nothing_else(
    autojump_clock: trio.testing.MockClock,
) -> None:
    board = AlarmBoard()
    board(event(*NEWS[0]))
    with trio.move_on_after(60) as asleep:
        await board.wait()
    assert asleep.cancelled_caught
    board(event(*TROUBLES[0][:2]))
    with trio.fail_after(1):
        await board.wait()
    assert autojump_clock.autojump_threshold == 0
