"""Portable SQL as PostgreSQL takes it."""

import pytest

from trt.storage.postgres_sql import prepared_for_postgres


def test_names_are_numbered_once_each_and_marks_one_by_one() -> None:
    sql = "SELECT :b, :a, :b FROM t WHERE x = :a"
    assert prepared_for_postgres(sql, {"a": 1, "b": 2, "unused": 3}) == (
        b"SELECT $1, $2, $1 FROM t WHERE x = $2",
        [2, 1],
    )
    assert prepared_for_postgres("VALUES (?, ?)", [5, None]) == (b"VALUES ($1, $2)", [5, None])


@pytest.mark.parametrize(
    "quoted",
    [
        "'it''s :a and ?'",
        '"a :a column?"',
        "$$ :a ? $$",
        "$tag$ :a $$ ? $tag$",
        "/* :a ? */ 1",
        "1 -- :a ?\n",
        "'5'::bigint",
        "now()::date::text",
    ],
)
def test_what_only_looks_like_a_placeholder_stays(quoted: str) -> None:
    named = prepared_for_postgres(f"SELECT {quoted}, :a", {"a": 1})
    assert named == (f"SELECT {quoted}, $1".encode(), [1])
    marked = prepared_for_postgres(f"SELECT {quoted}, ?", [1])
    assert marked == (f"SELECT {quoted}, $1".encode(), [1])


def test_a_cast_of_a_placeholder_is_no_second_placeholder() -> None:
    assert prepared_for_postgres("SELECT :a::text", {"a": 1}) == (b"SELECT $1::text", [1])


def test_a_named_none_is_written_into_the_statement() -> None:
    sql = "UPDATE t SET a = COALESCE(:a, a) WHERE :b IS NULL OR b = :b"
    assert prepared_for_postgres(sql, {"a": None, "b": 2}) == (
        b"UPDATE t SET a = COALESCE(NULL, a) WHERE $1 IS NULL OR b = $1",
        [2],
    )
    assert prepared_for_postgres(sql, {"a": 1, "b": None}) == (
        b"UPDATE t SET a = COALESCE($1, a) WHERE NULL IS NULL OR b = NULL",
        [1],
    )


def test_a_name_that_was_forgotten_is_a_bug() -> None:
    with pytest.raises(KeyError, match="b"):
        prepared_for_postgres("SELECT :a, :b", {"a": 1})


def test_without_parameters_nothing_is_translated() -> None:
    script = "DO $$ BEGIN :a ? END $$; SELECT 1 % 2"
    assert prepared_for_postgres(script, ()) == (script.encode(), None)
