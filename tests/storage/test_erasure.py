"""What a user told us is gone at their word; money, and what has not ended, is left alone."""

from attrs import evolve

from tests.storage.samples import (
    BOT,
    CHAT,
    EPOCH,
    NOW,
    OTHER_SHARD,
    SHARD,
    USER,
    inbox_row,
    job,
    later,
)
from trt.domain.ids import ChatId, Cid, Shard, UpdateId, UserId
from trt.domain.job import JobState
from trt.domain.reasons import Reason
from trt.domain.replies import Screen, ScreenId, ShowScreen
from trt.storage import erasure, inbox, jobs, outbox
from trt.storage.database import Transaction
from trt.storage.inbox import InboxRow, InboxState
from trt.storage.outbox import Sent

ASKS = UpdateId(9)
OTHER = UserId(2)


def comes(tx: Transaction, update_id: int, user_id: UserId, *, is_done: bool = True) -> InboxRow:
    row = evolve(inbox_row(update_id, user_id=user_id), cid=Cid(f"{update_id:08x}"))
    inbox.store(tx, [row])
    if is_done:
        inbox.finish(
            tx,
            bot_id=BOT,
            update_id=row.update_id,
            state=InboxState.DONE,
            reason=Reason.SUCCESS,
            epoch=EPOCH,
            now=NOW,
        )
    return row


def says(tx: Transaction, row: InboxRow, *, is_sent: bool = True, shard: Shard = SHARD) -> None:
    screen = Screen(screen_id=ScreenId.CONFIRM, text=f"the prompt of {row.update_id}")
    number = outbox.put(
        tx,
        shard=shard,
        chat_id=row.chat_id,
        reply=ShowScreen(screen=screen),
        cid=row.cid,
        job_id=None,
        epoch=EPOCH,
        now=NOW,
    )
    if is_sent:
        outbox.mark(tx, [Sent(outbox_id=number, message_id=None)], epoch=EPOCH, now=NOW)


def erased(tx: Transaction) -> None:
    erasure.erase(
        tx,
        user_id=USER,
        chat_id=ChatId(USER),
        bot_id=BOT,
        update_id=ASKS,
        shard=SHARD,
        epoch=EPOCH,
    )


def left(tx: Transaction, sql: str) -> list[object]:
    return [value for (value,) in tx.execute(sql)]


def test_messages_and_replies_are_emptied_and_their_rows_stay(tx: Transaction) -> None:
    says(tx, comes(tx, 1, USER))
    says(tx, comes(tx, 2, USER), is_sent=False)
    says(tx, comes(tx, 3, OTHER))
    comes(tx, ASKS, USER, is_done=False)
    comes(tx, 10, USER, is_done=False)
    kept = inbox_row(1).payload
    for _ in range(2):
        erased(tx)
        payloads = left(tx, "SELECT payload FROM inbox ORDER BY update_id")
        assert [bytes(each) if isinstance(each, memoryview) else each for each in payloads] == [
            b"",
            b"",
            kept,
            b"",  # the very update that asks for it
            kept,  # it is still to be handled
        ]
        replies = left(tx, "SELECT reply FROM outbox ORDER BY outbox_id")
        assert [bool(reply) for reply in replies] == [False, True, True]
    assert inbox.store(tx, [inbox_row(1)]) == frozenset()  # it is still known as seen


def test_what_another_shard_said_in_the_same_chat_is_that_shards(tx: Transaction) -> None:
    says(tx, comes(tx, 1, USER), shard=OTHER_SHARD)
    erased(tx)
    assert left(tx, "SELECT count(*) FROM outbox WHERE reply <> ''") == [1]


def test_past_orders_lose_their_words_and_keep_their_price(tx: Transaction) -> None:
    delivered = evolve(job(1), state=JobState.DELIVERED, result_urls=("https://a/1",))
    running = evolve(job(2), state=JobState.RUNNING)
    of_another = evolve(job(3, user_id=OTHER), state=JobState.DELIVERED)
    failed = jobs.insert(tx, job(4), shard=SHARD, epoch=EPOCH)
    assert failed
    jobs.move(tx, job(4), JobState.FAILED, epoch=EPOCH, now=NOW, look_again_at=later(5))
    for each in (delivered, running, of_another):
        jobs.insert(tx, each, shard=SHARD, epoch=EPOCH)
    for _ in range(2):
        erased(tx)
        assert jobs.get(tx, delivered.job_id) == evolve(delivered, params={}, result_urls=())
        assert jobs.get(tx, running.job_id) == running
        assert jobs.get(tx, of_another.job_id) == of_another
    # Nobody asks any more for a result that could not be handed over with its words.
    assert jobs.to_look_at(tx, shard=SHARD, now=later(99)) == []


def test_the_replies_of_a_job_go_when_the_tap_that_ordered_it_is_long_gone(
    tx: Transaction,
) -> None:
    ordered = evolve(job(1), state=JobState.DELIVERED, cid=Cid("0000beef"))
    jobs.insert(tx, ordered, shard=SHARD, epoch=EPOCH)
    says(tx, evolve(inbox_row(1), cid=ordered.cid, chat_id=CHAT))
    erased(tx)
    assert left(tx, "SELECT reply FROM outbox") == [""]
