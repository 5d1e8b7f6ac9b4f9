"""Times survive the database to the microsecond."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt.storage.timestamps import from_unix, to_unix


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_time_comes_back_exactly(at: datetime) -> None:
    assert from_unix(to_unix(at)) == at
    assert from_unix(to_unix(at)).tzinfo is UTC


def test_a_naive_time_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        to_unix(datetime(2026, 1, 1))  # noqa: DTZ001


def test_another_zone_means_the_same_moment() -> None:
    three_hours_ahead = timezone(timedelta(hours=3))
    assert to_unix(datetime(2026, 1, 1, 3, tzinfo=three_hours_ahead)) == 1767225600.0
