"""Our portable SQL as PostgreSQL takes it: placeholders become `$1`, values their plainest type."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper, Loader
from psycopg.types.numeric import Int8BinaryDumper
from typing_extensions import override

from trt.storage.database import Parameters

_INT8_OID = 20
# What looks like a placeholder inside a text, a name, a comment or a cast is none.
_TOKEN = re.compile(
    r"""
      ' (?: [^'] | '' )* '
    | " (?: [^"] | "" )* "
    | -- [^\n]*
    | /\* .*? \*/
    | (?P<tag> \$ (?: [a-zA-Z_]\w* )? \$ ) .*? (?P=tag)
    | ::
    | : (?P<name> [a-zA-Z_]\w* )
    | (?P<mark> \? )
    """,
    re.VERBOSE | re.DOTALL,
)


def prepared_for_postgres(
    sql: str, parameters: Parameters
) -> tuple[bytes, Sequence[object] | None]:
    """Return the statement with `$n` placeholders and the values in the order of their numbers.

    A None behind a `:name` is written into the statement as NULL, because PostgreSQL cannot tell
    the type of a placeholder that is only asked `IS NULL`. Without parameters nothing is
    translated: such a text may hold any SQL, and several statements.
    """
    if not parameters:
        return _encoded(sql), None
    if isinstance(parameters, Mapping):
        nulls = frozenset(name for name, value in parameters.items() if value is None)
        statement, names = _with_names_numbered(sql, nulls)
        return statement, [parameters[name] for name in names]
    return _with_marks_numbered(sql), parameters


@lru_cache(maxsize=512)
def _encoded(sql: str) -> bytes:
    return sql.encode()


@lru_cache(maxsize=1024)
def _with_names_numbered(sql: str, nulls: frozenset[str]) -> tuple[bytes, tuple[str, ...]]:
    numbers: dict[str, int] = {}

    def numbered(token: re.Match[str]) -> str:
        name = token["name"]
        if name is None:
            return token[0]
        if name in nulls:
            return "NULL"
        return f"${numbers.setdefault(name, len(numbers) + 1)}"

    return _TOKEN.sub(numbered, sql).encode(), tuple(numbers)


@lru_cache(maxsize=512)
def _with_marks_numbered(sql: str) -> bytes:
    count = 0

    def numbered(token: re.Match[str]) -> str:
        nonlocal count
        if token["mark"] is None:
            return token[0]
        count += 1
        return f"${count}"

    return _TOKEN.sub(numbered, sql).encode()


class _BoolDumper(Dumper):
    """Our tables keep truth as 0 and 1, as SQLite does."""

    oid = _INT8_OID

    @override
    def dump(self, obj: bool) -> Buffer:
        return b"1" if obj else b"0"


class _NumericLoader(Loader):
    """A sum of whole numbers is a whole number, and an average a float, as in SQLite."""

    @override
    def load(self, data: Buffer) -> int | float:
        text = bytes(data).decode()
        return int(text) if text.removeprefix("-").isdecimal() else float(text)


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    # One type for all whole numbers: otherwise each size is a statement of its own to prepare.
    adapters.register_dumper(int, Int8BinaryDumper)
    adapters.register_dumper(bool, _BoolDumper)
    adapters.register_loader("numeric", _NumericLoader)
    return adapters


ADAPTERS = _adapters()
"""How values travel, for every connection that runs our SQL."""
