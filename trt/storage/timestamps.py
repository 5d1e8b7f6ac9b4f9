"""Times in columns: aware UTC datetimes outside, unix seconds as a float inside."""

from datetime import UTC, datetime


def to_unix(at: datetime) -> float:
    """Return the unix seconds of an aware datetime, exact to the microsecond."""
    assert at.tzinfo is not None, "a naive datetime has no place in the database"
    return at.timestamp()


def from_unix(seconds: float) -> datetime:
    """Return the aware UTC datetime of unix seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def to_unix_or_none(at: datetime | None) -> float | None:
    """Like `to_unix` for a column that may be NULL."""
    return None if at is None else to_unix(at)


def from_unix_or_none(seconds: float | None) -> datetime | None:
    """Like `from_unix` for a column that may be NULL."""
    return None if seconds is None else from_unix(seconds)
