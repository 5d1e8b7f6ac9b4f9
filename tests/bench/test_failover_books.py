"""The books of `trt bench failover`: every promise that they are about can be seen broken."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from trt.assets import asset
from trt.bench.failover_books import (
    Accounts,
    account,
    unfinished,
    written_under,
)
from trt.bench.failover_traffic import Post
from trt.bench.failover_updates import MadeUpdate, MadeUpdates
from trt.sources import SystemSources
from trt.storage.database import Database, Transaction
from trt.storage.engines import SQLiteAddress
from trt.storage.migrate import migrate
from trt.storage.sqlite import open_sqlite_inline

SOURCES = SystemSources()


@contextmanager
def database(folder: Path) -> Iterator[Database]:
    path = folder / "trt.sqlite3"
    migrate(SQLiteAddress(path), asset("migrations"), now=SOURCES.now())
    with open_sqlite_inline(path, now=SOURCES.now) as db:
        yield db


def keep(tx: Transaction, update: MadeUpdate, *, state: str = "done", epoch: int = 1) -> None:
    """Write what a right handling of an update leaves behind."""
    tx.execute(
        """
        INSERT INTO inbox (bot_id, update_id, user_id, chat_id, kind, callback_id, cid, payload,
          received_at, shard, attempts, state, epoch, finished_at)
        VALUES (1, :id, :user, :user, 'x', :callback, :cid, :payload, 0.0, 0, 0, :state, :epoch,
          CASE WHEN :state = 'new' THEN NULL ELSE 5.0 END)
        """,
        {
            "id": update.update_id,
            "user": update.user_id,
            "callback": update.callback_id,
            "cid": f"cid-{update.update_id}",
            "payload": update.body,
            "state": state,
            "epoch": epoch,
        },
    )
    for kind, number in update.replies.items():
        for _ in range(number):
            reply(tx, update, kind, epoch=epoch)


def reply(
    tx: Transaction, update: MadeUpdate, kind: str, *, job_id: str | None = None, epoch: int = 1
) -> None:
    tx.execute(
        """
        INSERT INTO outbox (chat_id, kind, reply, cid, job_id, epoch, created_at)
        VALUES (:chat, :kind, '{}', :cid, :job_id, :epoch, 0.0)
        """,
        {
            "chat": update.user_id,
            "kind": kind,
            "cid": f"cid-{update.update_id}",
            "job_id": job_id,
            "epoch": epoch,
        },
    )


def deliver(tx: Transaction, update: MadeUpdate, job_id: str) -> None:
    """Write what the job of an order leaves behind that went well."""
    order(tx, update, job_id, "delivered", "post")
    reply(tx, update, "send_result", job_id=job_id)


def order(tx: Transaction, update: MadeUpdate, job_id: str, state: str, ending: str) -> None:
    """Write a job that has ended, and what became of the money that was held for it."""
    tx.execute(
        """
        INSERT INTO jobs (job_id, user_id, chat_id, draft_id, model_id, params, price_kopecks,
          language, cid, created_at, deadline_at, state, epoch, updated_at)
        VALUES (:job, :user, :user, :job, 'm', '{}', 5, 'ru', 'c', 0.0, 0.0, :state, 1, 0.0)
        """,
        {"job": job_id, "user": update.user_id, "state": state},
    )
    tx.execute(
        "INSERT INTO accounts (account_id, kind) VALUES (:user, 'user') ON CONFLICT DO NOTHING",
        {"user": update.user_id},
    )
    for kind, pending_id in (("pending", None), (ending, f"{job_id}:pending")):
        tx.execute(
            """
            INSERT INTO transfers (transfer_id, kind, debit_account_id, credit_account_id,
              amount_kopecks, pending_id, code, job_id, cid, epoch, created_at)
            VALUES (:id, :kind, :user, -3, 5, :pending_id, 'x', :job, 'c', 1, 0.0)
            """,
            {
                "id": f"{job_id}:{kind}",
                "kind": kind,
                "user": update.user_id,
                "pending_id": pending_id,
                "job": job_id,
            },
        )
    reply(tx, update, "show_screen", job_id=job_id)


def keep_all(tx: Transaction, posts: list[Post]) -> None:
    for post in posts:
        keep(tx, post.update)
    deliver(tx, posts[-1].update, "job")


def is_start(update: MadeUpdate) -> bool:
    return update.callback_id is None


def some_posts() -> tuple[Post, Post, list[Post]]:
    """Return a /start, a tap and an order, acknowledged in the tenth second."""
    made = MadeUpdates()
    some = [made.next() for _ in range(5)]
    start = next(update for update in some if is_start(update))
    tap = next(update for update in some if not is_start(update))
    posts = [Post(update, acked_s=10.0) for update in (start, tap, *made.order())]
    return posts[0], posts[1], posts


def answers(posts: list[Post], at_s: float = 10.5) -> Mapping[str, float]:
    return {post.update.callback_id: at_s for post in posts if post.update.callback_id}


def figures(accounts: Accounts) -> tuple[int, int, int]:
    return accounts.lost, accounts.twice, accounts.late_callbacks


async def test_a_round_in_which_all_was_done_once_has_no_problems(tmp_path: Path) -> None:
    _, _, posts = some_posts()

    def look(tx: Transaction) -> Accounts:
        keep_all(tx, posts)
        return account(tx, posts, answers(posts))

    with database(tmp_path) as db:
        accounts = await db.transact(look)
    assert figures(accounts) == (0, 0, 0)
    assert accounts.updates == len(posts)


def again(table: str, columns: str, where: str) -> str:
    return f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} WHERE {where}"


OF_START = "cid = 'cid-' || :start"
REPLY = "chat_id, kind, reply, cid, job_id, epoch, created_at"
A_RESULT = "kind = 'send_result' AND :start > 0"
SPOILT: Mapping[str, tuple[str, tuple[int, int, int]]] = {
    "an update is absent": (f"DELETE FROM inbox WHERE {OF_START}", (1, 0, 0)),
    "an update waits": (
        f"UPDATE inbox SET state = 'new', finished_at = NULL WHERE {OF_START}",
        (1, 0, 0),
    ),
    "an update was refused": (f"UPDATE inbox SET state = 'refused' WHERE {OF_START}", (1, 0, 0)),
    "a reply is missing": (f"DELETE FROM outbox WHERE {OF_START}", (1, 0, 0)),
    "a reply is there twice": (again("outbox", REPLY, OF_START), (0, 1, 0)),
    "a result is missing": (f"DELETE FROM outbox WHERE {A_RESULT}", (1, 0, 0)),
    "an order failed and was charged": (
        "UPDATE jobs SET state = 'failed' WHERE job_id = 'job' AND :start > 0",
        (1, 0, 0),
    ),
    "a result is there twice": (again("outbox", REPLY, A_RESULT), (0, 1, 0)),
}


@pytest.mark.parametrize("how", SPOILT)
async def test_what_is_lost_or_done_twice_is_counted(how: str, tmp_path: Path) -> None:
    spoil, expected = SPOILT[how]
    start, _, posts = some_posts()

    def look(tx: Transaction) -> Accounts:
        keep_all(tx, posts)
        assert tx.execute(spoil, {"start": start.update.update_id}).count == 1
        return account(tx, posts, answers(posts))

    with database(tmp_path) as db:
        accounts = await db.transact(look)
    assert figures(accounts) == expected
    assert accounts.problems


async def test_an_order_that_failed_and_was_refunded_is_not_lost(tmp_path: Path) -> None:
    _, _, posts = some_posts()

    def look(tx: Transaction) -> Accounts:
        for post in posts:
            keep(tx, post.update)
        order(tx, posts[-1].update, "job", "failed", "void")
        return account(tx, posts, answers(posts))

    with database(tmp_path) as db:
        assert figures(await db.transact(look)) == (0, 0, 0)


async def test_an_order_that_was_charged_twice_is_done_twice(tmp_path: Path) -> None:
    _, _, posts = some_posts()

    def look(tx: Transaction) -> Accounts:
        keep_all(tx, posts)
        deliver(tx, posts[-1].update, "another")
        return account(tx, posts, answers(posts))

    with database(tmp_path) as db:
        accounts = await db.transact(look)
    assert figures(accounts) == (0, 1, 0)
    assert not accounts.is_balanced, "the accounts do not know of these transfers"


@pytest.mark.parametrize(
    ("answered_at_s", "lost", "late"),
    [(10.9, 0, 0), (11.1, 0, 3), (None, 3, 0)],
    ids=["in time", "late", "never"],
)
async def test_taps_whose_answer_took_longer_than_a_second_are_late_and_those_without_are_lost(
    answered_at_s: float | None, lost: int, late: int, tmp_path: Path
) -> None:
    _, _, posts = some_posts()
    answered_s = {} if answered_at_s is None else answers(posts, answered_at_s)

    def look(tx: Transaction) -> Accounts:
        keep_all(tx, posts)
        return account(tx, posts, answered_s)

    with database(tmp_path) as db:
        accounts = await db.transact(look)
    assert (accounts.lost, accounts.late_callbacks) == (lost, late)
    assert len([one for one in accounts.problems if one.endswith("never answered")]) == lost
    assert len(accounts.late) == late


async def test_what_an_old_epoch_writes_and_what_is_under_way_is_seen(tmp_path: Path) -> None:
    start, tap, _ = some_posts()

    def look(tx: Transaction) -> tuple[int, int]:
        keep(tx, start.update, epoch=7)
        before = written_under(tx, 7)
        keep(tx, tap.update, epoch=8)
        tx.execute("UPDATE outbox SET epoch = 8 WHERE epoch = 7")
        assert written_under(tx, 7) < before, "the new holder sends what the old one wrote"
        reply(tx, tap.update, "show_screen", epoch=7)
        tx.execute("UPDATE inbox SET state = 'new', finished_at = NULL WHERE epoch = 7")
        [(kind, _)] = written_under(tx, 7) - before
        assert kind == "outbox"
        return len(before), unfinished(tx)

    with database(tmp_path) as db:
        before, waiting = await db.transact(look)
    assert before == 2
    assert waiting == 1 + 1 + 2 + 1, "an update and the replies"
