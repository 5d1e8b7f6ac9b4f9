"""What PostgreSQL's errors mean to us: not now, once more, or a bug."""

import psycopg

from trt.storage.errors import DatabaseUnavailable

READ_ONLY = "25006"
"""read_only_sql_transaction: a replica, or a server whose provider takes no more data."""

# PostgreSQL, "Error Codes". Classes: connection exception, insufficient resources (disk full, too
# many connections), operator intervention (shutdown, statement timeout), system error (I/O).
_UNAVAILABLE_CLASSES = ("08", "53", "57", "58")
_UNAVAILABLE = frozenset({
    READ_ONLY,
    "25P03",  # idle_in_transaction_session_timeout
    "25P04",  # transaction_timeout
    "55P03",  # lock_not_available: lock_timeout
    "XX001",  # data_corrupted
    "XX002",  # index_corrupted
})  # fmt: skip
_SERIALIZATION_FAILURE = "40001"
_DEADLOCK = "40P01"
_DATA_EXCEPTION_CLASS = "22"


class TryAgain(DatabaseUnavailable):
    """The transaction ended before its COMMIT was sent; the next try may well succeed."""


def translated(error: psycopg.Error, *, is_broken: bool) -> Exception:
    """Return what to raise for an error before COMMIT.

    Args:
        error: As psycopg raised it.
        is_broken: Whether the connection is lost.

    Returns:
        `TryAgain` or `DatabaseUnavailable`; for a bug, such as a wrong statement or a broken
        constraint, the error itself without the values it quotes.
    """
    state = error.sqlstate or ""
    if is_broken or state in {_SERIALIZATION_FAILURE, _DEADLOCK}:
        return TryAgain(told(error))
    if _is_unavailable(error):
        return DatabaseUnavailable(told(error))
    error.args = (told(error),)
    return error


def _is_unavailable(error: psycopg.Error) -> bool:
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError)
    return state in _UNAVAILABLE or state.startswith(_UNAVAILABLE_CLASSES)


def told(error: psycopg.Error) -> str:
    """Say what happened without the row that it happened to, which may hold what users wrote."""
    state = error.sqlstate
    if state is None:
        return " ".join(str(error).split())
    if state.startswith(_DATA_EXCEPTION_CLASS):
        return f"{type(error).__name__} ({state})"
    return f"{error.diag.message_primary} ({state})"
