"""The event stream: the catalogue is kept, taps get clear ids, one bad tap breaks nothing."""

import io
import json
import logging
import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog
from typing_extensions import override

from trt.sources import Sources
from trt.telemetry import log
from trt.telemetry.events import CATALOGUE, CONTEXT, Event, EventName, FieldValue, Level
from trt.telemetry.metrics import COUNTED, LABEL_VALUES_MAX, TIMED, Metrics
from trt.telemetry.stream import EventStream, id_hash

NOW = datetime(2026, 11, 21, 22, 0, 0, tzinfo=UTC)


class FixedSources(Sources):
    @override
    def now(self) -> datetime:
        return NOW

    @override
    def random(self) -> random.Random:
        return random.Random(1)

    @override
    def token(self, length: int) -> str:
        return "0" * length


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    stream = io.StringIO()
    log.configure("DEBUG", stream)
    yield stream
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.reset_defaults()


def emit_all_required(stream: EventStream, name: EventName) -> None:
    fields: dict[str, FieldValue] = dict.fromkeys(CATALOGUE[name].required, 7)
    stream.emit(name, **fields)


def test_every_event_name_is_in_the_catalogue() -> None:
    assert set(CATALOGUE) == set(EventName)


def test_no_event_lists_a_field_twice() -> None:
    for name, kind in CATALOGUE.items():
        assert not kind.required & kind.optional, name
        assert not kind.optional & CONTEXT, name


def test_counters_and_histograms_only_read_fields_that_their_event_may_carry() -> None:
    for name, counters in COUNTED.items():
        known = CATALOGUE[name].required | CATALOGUE[name].optional | CONTEXT
        for counted in counters:
            assert set(counted.labels) <= known, name
            assert counted.amount is None or counted.amount in CATALOGUE[name].required
    for name, timed in TIMED.items():
        known = CATALOGUE[name].required | CATALOGUE[name].optional | CONTEXT
        assert {"duration_s", *timed.labels} <= known, name


@pytest.mark.parametrize("name", list(EventName))
def test_every_event_can_be_emitted_and_counted(name: EventName, lines: io.StringIO) -> None:
    seen: list[Event] = []
    emit_all_required(EventStream(FixedSources(), [seen.append, Metrics()]), name)
    assert [event.name for event in seen] == [name]
    [line] = lines.getvalue().splitlines()
    assert json.loads(line)["event"] == name.value
    assert json.loads(line)["level"] == CATALOGUE[name].level.value


def test_a_missing_or_unknown_field_is_a_bug_and_says_which(lines: io.StringIO) -> None:
    stream = EventStream(FixedSources())
    with pytest.raises(AssertionError, match="UPDATE_RECEIVED: missing cid, kind"):
        stream.emit(EventName.UPDATE_RECEIVED, update_id=1)
    with pytest.raises(AssertionError, match="APP_STOPPED: unknown colour"):
        stream.emit(EventName.APP_STOPPED, colour="red")
    assert lines.getvalue() == ""


def test_the_log_gets_hashes_and_the_taps_get_the_ids(lines: io.StringIO) -> None:
    seen: list[Event] = []
    stream = EventStream(FixedSources(), [seen.append])
    stream.emit(EventName.UI_RENDER, cid="a1b2c3d4", screen_id="CONFIRM", user_id=70, chat_id=71)
    assert json.loads(lines.getvalue()) == {
        "event": "UI_RENDER",
        "level": "info",
        "ts": "2026-11-21T22:00:00+00:00",
        "cid": "a1b2c3d4",
        "screen_id": "CONFIRM",
        "user_hash": id_hash(70),
        "chat_hash": id_hash(71),
    }
    assert len(id_hash(70)) == 8
    assert seen == [
        Event(
            name=EventName.UI_RENDER,
            level=Level.INFO,
            at=NOW,
            fields={"cid": "a1b2c3d4", "screen_id": "CONFIRM", "user_id": 70, "chat_id": 71},
        )
    ]


def test_an_error_is_logged_with_its_place_and_named_for_the_taps(lines: io.StringIO) -> None:
    seen: list[Event] = []
    stream = EventStream(FixedSources(), [seen.append])
    try:
        int("out of cheese")
    except ValueError as error:
        stream.emit(EventName.ACTOR_CRASHED, error, actor="session/7")
    line = json.loads(lines.getvalue())
    assert line["exception"].startswith("  ValueError, most recent call last:\n")
    assert "tests/telemetry/test_event_stream.py:" in line["exception"]
    assert "cheese" not in lines.getvalue()
    assert line["error"] == "ValueError"
    assert seen[0].fields == {"actor": "session/7", "error": "ValueError"}


def test_a_tap_that_raises_is_counted_and_the_next_tap_still_hears(lines: io.StringIO) -> None:
    def broken(event: Event, /) -> None:
        raise RuntimeError(f"no room for {event.name}")

    seen: list[Event] = []
    stream = EventStream(FixedSources(), [broken, seen.append])
    stream.emit(EventName.APP_STARTED)
    assert stream.tap_failures_count == 1
    assert len(seen) == 1
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == [
        "APP_STARTED",
        "TAP_FAILED",
    ]


def test_metrics_count_by_label_and_sum_money() -> None:
    metrics = Metrics()
    stream = EventStream(FixedSources(), [metrics])
    for amount in (1500, -500):
        stream.emit(EventName.LEDGER_TRANSFER, cid="c", kind="reserve", amount_kopecks=amount)
    stream.emit(EventName.MESSAGE_SENT, cid="c", kind="screen", duration_s=0.3)
    text = metrics.render()
    assert 'trt_ledger_transfers_total{kind="reserve"} 2.0' in text
    assert 'trt_ledger_kopecks_total{kind="reserve"} 2000.0' in text
    assert 'trt_messages_total{kind="screen",outcome="sent"} 1.0' in text
    assert 'trt_message_seconds_count{kind="screen"} 1.0' in text


def test_labels_stay_few_whatever_is_thrown_at_them() -> None:
    metrics = Metrics()
    for number in range(LABEL_VALUES_MAX + 50):
        metrics(
            Event(
                name=EventName.UPDATE_RECEIVED,
                level=Level.INFO,
                at=NOW,
                fields={"cid": "c", "update_id": number, "kind": f"kind{number}"},
            )
        )
    text = metrics.render()
    assert 'trt_updates_received_total{kind="other"} 50.0' in text
    assert text.count("trt_updates_received_total{") == LABEL_VALUES_MAX + 1
