"""Databases to migrate, of either engine, looked at with their own tools."""

import re
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
from attrs import frozen
from typing_extensions import override

from trt.secret import Secret
from trt.storage.engines import DatabaseAddress, PostgresAddress, SQLiteAddress
from trt.storage.sqlite_connection import connect


class Target(Protocol):
    """A database to migrate, looked at with its own tools."""

    series: str
    """The folder of its engine's steps."""

    @property
    def address(self) -> DatabaseAddress: ...

    def run(self, sql: str) -> list[Any]:
        """Run a script, or one query and return its rows."""
        ...

    def schema(self) -> dict[str, str]:
        """Return what each thing in the schema is called, and what it is."""
        ...

    def tables(self) -> set[str]: ...


@frozen
class SQLiteTarget(Target):
    path: Path
    series: str = "sqlite"

    @property
    @override
    def address(self) -> DatabaseAddress:
        return SQLiteAddress(self.path)

    @override
    def run(self, sql: str) -> list[Any]:
        with closing(connect(self.path)) as connection:
            if sql.startswith("SELECT"):
                return connection.execute(sql).fetchall()
            connection.executescript(sql)
            return []

    @override
    def schema(self) -> dict[str, str]:
        rows = self.run(
            "SELECT type || ' ' || name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        )
        return {name: re.sub(r"\s*([(),])\s*", r"\1", " ".join(sql.split())) for name, sql in rows}

    @override
    def tables(self) -> set[str]:
        return {name.removeprefix("table ") for name in self.schema()}


@frozen
class PostgresTarget(Target):
    url: str
    series: str = "postgres"

    @property
    @override
    def address(self) -> DatabaseAddress:
        return PostgresAddress(Secret(self.url))

    @override
    def run(self, sql: str) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if sql.startswith("SELECT") else []

    @override
    def schema(self) -> dict[str, str]:
        return dict(self.run(CATALOGUE))

    @override
    def tables(self) -> set[str]:
        rows = self.run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in rows}


# Each column, constraint, index, trigger and function in PostgreSQL's own words.
CATALOGUE = """SELECT 'column ' || attrelid::regclass || '.' || attname,
  concat_ws(' ', attnum, format_type(atttypid, atttypmod), attnotnull, attidentity,
            pg_get_expr(adbin, adrelid))
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND attrelid IN (
  SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')
UNION ALL
SELECT 'constraint ' || conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'trigger ' || tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'function ' || proname, pg_get_functiondef(oid)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""
