"""Whose CPU time is whose."""

import pstats
from collections.abc import Mapping

import pytest

from trt.bench.spending import (
    DELIVERY,
    INGRESS,
    OTHER,
    STORAGE,
    WEB,
    Callers,
    Place,
    by_part,
    part_of,
)

Table = dict[Place, tuple[int, int, float, float, Callers]]

SERVER: Place = ("/x/site-packages/hypercorn/protocol/h11.py", 1, "handle")
CLIENT: Place = ("/x/site-packages/httpcore/_async/http11.py", 1, "send")
PARSER: Place = ("/x/site-packages/h11/_connection.py", 1, "next_event")
BUILTIN: Place = ("~", 0, "<built-in method len>")


def profile(table: Table) -> pstats.Stats:
    stats = pstats.Stats()
    vars(stats)["stats"] = table
    return stats


def row(
    own_s: float, callers: Mapping[Place, float] | None = None, calls: int = 0
) -> tuple[int, int, float, float, Callers]:
    blamed = {place: (0, 0, seconds, seconds) for place, seconds in (callers or {}).items()}
    return calls, calls, own_s, own_s, blamed


def test_a_library_is_charged_to_its_callers_in_proportion() -> None:
    table = {
        SERVER: row(1.0),
        CLIENT: row(2.0),
        PARSER: row(4.0, {SERVER: 1.0, CLIENT: 3.0}),
        BUILTIN: row(8.0, {PARSER: 8.0}),
    }
    assert by_part(profile(table), 0.0) == pytest.approx({WEB: 4.0, DELIVERY: 11.0, OTHER: 0.0})


def test_recursion_in_a_library_ends_and_loses_nothing() -> None:
    other: Place = ("/x/site-packages/h11/_util.py", 1, "check")
    table = {
        SERVER: row(1.0),
        PARSER: row(4.0, {PARSER: 2.0, other: 1.0, SERVER: 1.0}),
        other: row(4.0, {PARSER: 4.0}),
    }
    spent = by_part(profile(table), 0.0)
    assert sum(spent.values()) == pytest.approx(9.0)
    assert spent[WEB] == pytest.approx(9.0, rel=1e-4)


def test_reading_the_clock_is_taken_off_both_sides_of_a_call() -> None:
    calls = {SERVER: (3, 3, 1.0, 1.0)}
    table: Table = {SERVER: (1, 1, 2.0, 3.0, {}), PARSER: (3, 3, 1.0, 1.0, calls)}
    assert by_part(profile(table), 0.1)[WEB] == pytest.approx((2.0 - 0.4) + (1.0 - 0.3))


@pytest.mark.parametrize(
    ("file", "function", "part"),
    [
        ("/srv/trt/trt/storage/inbox.py", "store", INGRESS),
        ("/srv/trt/trt/storage/inbox.py", "finish", None),
        ("/srv/app/trt/storage/sqlite.py", "_write", STORAGE),
        ("/srv/app/trt/actors/delivery.py", "_run_lane", DELIVERY),
        ("/srv/trt/.venv/lib/site-packages/httpx/_client.py", "post", DELIVERY),
        ("/usr/lib/python3.11/json/decoder.py", "decode", None),
    ],
)
def test_the_longest_listed_prefix_owns_a_function(
    file: str, function: str, part: str | None
) -> None:
    assert part_of((file, 1, function)) == part
