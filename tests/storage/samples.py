"""Rows to test with, and databases to put them into."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trt.domain.ids import (
    BotId,
    CallbackId,
    ChatId,
    Cid,
    DraftId,
    JobId,
    ModelId,
    Shard,
    UpdateId,
    UserId,
)
from trt.domain.job import Job
from trt.storage.inbox import InboxRow
from trt.storage.migrate_sqlite import migrate_sqlite
from trt.storage.sqlite_connection import connect

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
EPOCH = 7
SHARD = Shard(0)
OTHER_SHARD = Shard(1)
CID = Cid("0badcafe")
BOT = BotId(99)
USER = UserId(1001)
CHAT = ChatId(1001)
MIGRATIONS = Path(__file__).parents[2] / "migrations" / "sqlite"
POSTGRES_MIGRATIONS = MIGRATIONS.parent / "postgres"


def now() -> datetime:
    """The clock that stands still."""
    return NOW


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def new_file(folder: Path) -> Path:
    """Return the path of a migrated, empty database."""
    path = folder / "trt.sqlite3"
    migrate_sqlite(path, MIGRATIONS, now=NOW)
    return path


def new_connection() -> sqlite3.Connection:
    """Return a connection to a migrated, empty database in memory."""
    connection = connect(":memory:")
    migrate_sqlite(connection, MIGRATIONS, now=NOW)
    return connection


def inbox_row(update_id: int, *, user_id: int = USER, shard: int = 0) -> InboxRow:
    return InboxRow(
        bot_id=BOT,
        update_id=UpdateId(update_id),
        user_id=UserId(user_id),
        chat_id=ChatId(user_id),
        kind="callback_query",
        callback_id=CallbackId(f"tap-{update_id}"),
        cid=CID,
        payload=b'{"update_id": 1}\xff',
        received_at=NOW,
        shard=Shard(shard),
    )


def job(number: int, *, user_id: int = USER, price_kopecks: int = 500) -> Job:
    return Job(
        job_id=JobId(f"{number:032x}"),
        user_id=UserId(user_id),
        chat_id=ChatId(user_id),
        draft_id=DraftId(f"{number:08x}"),
        model_id=ModelId("flux/dev"),
        params={"prompt": "кот", "size": 2, "scale": 1.5, "is_raw": True},
        price_kopecks=price_kopecks,
        language="ru",
        cid=CID,
        created_at=later(number),
        deadline_at=later(number + 600),
    )
