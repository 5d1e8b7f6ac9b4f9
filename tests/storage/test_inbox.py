"""Every update once, until it has ended."""

from attrs import evolve

from tests.storage.engine import NotingTransaction
from tests.storage.samples import BOT, EPOCH, NOW, OTHER_SHARD, SHARD, USER, inbox_row, later
from trt.domain.ids import BotId, Shard, UpdateId
from trt.domain.reasons import Reason
from trt.storage import inbox
from trt.storage.database import Transaction
from trt.storage.inbox import InboxRow, InboxState


def end(tx: Transaction, update_id: int, *, at_s: float = 0) -> bool:
    return inbox.finish(
        tx,
        bot_id=BOT,
        update_id=UpdateId(update_id),
        state=InboxState.DONE,
        reason=Reason.SUCCESS,
        epoch=EPOCH,
        now=later(at_s),
    )


def unfinished(tx: Transaction, limit: int = 100) -> list[InboxRow]:
    return inbox.unfinished(tx, bot_id=BOT, shard=SHARD, limit=limit)


def test_a_row_comes_back_as_it_went_in(tx: Transaction) -> None:
    rows = [inbox_row(1), evolve(inbox_row(2), callback_id=None, kind="message")]
    inbox.store(tx, rows)
    assert unfinished(tx) == rows


def test_only_new_ones_are_reported_as_stored(tx: Transaction) -> None:
    assert inbox.store(tx, [inbox_row(1), inbox_row(2), inbox_row(1)]) == {1, 2}
    assert inbox.store(tx, [inbox_row(2), inbox_row(3)]) == {3}
    assert inbox.store(tx, []) == frozenset()


def test_a_batch_larger_than_one_statement_may_be_is_stored_whole(tx: Transaction) -> None:
    assert len(inbox.store(tx, [inbox_row(n) for n in range(6000)])) == 6000
    assert inbox.depth(tx) == 6000


def test_unfinished_ones_come_in_order_of_their_ids_and_of_one_shard(tx: Transaction) -> None:
    inbox.store(tx, [inbox_row(3), inbox_row(1), inbox_row(2, shard=1), inbox_row(4)])
    assert [row.update_id for row in unfinished(tx)] == [1, 3, 4]
    assert [row.update_id for row in unfinished(tx, limit=2)] == [1, 3]
    assert inbox.depth(tx) == 4


def test_an_update_ends_once(tx: Transaction) -> None:
    inbox.store(tx, [inbox_row(1)])
    assert inbox.is_unfinished(tx, bot_id=BOT, update_id=UpdateId(1))
    assert end(tx, 1)
    assert not end(tx, 1)
    assert not end(tx, 2)
    assert not inbox.is_unfinished(tx, bot_id=BOT, update_id=UpdateId(1))
    assert not inbox.is_unfinished(tx, bot_id=BOT, update_id=UpdateId(2))
    assert inbox.store(tx, [inbox_row(1)]) == frozenset()
    assert tx.execute("SELECT state, reason, epoch FROM inbox").one() == ("done", "SUCCESS", EPOCH)


def attempts(tx: Transaction) -> list[int]:
    return [row.attempts for row in unfinished(tx)]


def test_takeovers_mark_what_is_unfinished_and_count_nothing(tx: Transaction) -> None:
    inbox.store(tx, [inbox_row(1), inbox_row(2), inbox_row(3, shard=1)])
    end(tx, 1)
    for _ in range(7):
        inbox.mark_suspects(tx, bot_id=BOT, shard=SHARD)
    assert attempts(tx) == [1]
    [other] = inbox.unfinished(tx, bot_id=BOT, shard=Shard(1), limit=9)
    assert other.attempts == 0


def test_a_suspect_is_counted_each_time_that_it_is_begun_again(tx: Transaction) -> None:
    inbox.store(tx, [inbox_row(1), inbox_row(2, user_id=2)])
    inbox.mark_suspects(tx, bot_id=BOT, shard=SHARD)
    for number in (2, 3):
        [row, _] = unfinished(tx)
        assert inbox.begin_again(tx, row)
        assert inbox.begin_again(tx, row)  # the same attempt, whose commit was in doubt
        assert attempts(tx) == [number, 1]
    inbox.mark_suspects(tx, bot_id=BOT, shard=SHARD)
    assert attempts(tx) == [3, 1]


def test_what_has_ended_or_waits_behind_another_is_not_begun(tx: Transaction) -> None:
    inbox.store(tx, [inbox_row(1), inbox_row(2)])
    inbox.mark_suspects(tx, bot_id=BOT, shard=SHARD)
    [first, second] = unfinished(tx)
    assert not inbox.begin_again(tx, second)
    end(tx, 1)
    assert not inbox.begin_again(tx, first)
    assert attempts(tx) == [1]
    assert inbox.begin_again(tx, second)


def test_pruning_forgets_only_what_ended_long_ago(tx: Transaction) -> None:
    inbox.store(tx, [inbox_row(1), inbox_row(2), inbox_row(3)])
    end(tx, 1, at_s=-100)
    end(tx, 2, at_s=+100)
    assert inbox.prune(tx, shard=OTHER_SHARD, before=NOW, limit=9) == 0
    assert inbox.prune(tx, shard=SHARD, before=NOW, limit=9) == 1
    assert inbox.store(tx, [inbox_row(1), inbox_row(2), inbox_row(3)]) == {1}


def test_pruning_goes_in_slices_oldest_first(tx: Transaction) -> None:
    inbox.store(tx, [inbox_row(n) for n in range(1, 6)])
    for n in range(1, 6):
        end(tx, n, at_s=-10 * n)
    assert inbox.prune(tx, shard=SHARD, before=NOW, limit=2) == 2
    left = tx.execute("SELECT update_id FROM inbox ORDER BY update_id").rows
    assert [update_id for (update_id,) in left] == [1, 2, 3]
    assert [inbox.prune(tx, shard=SHARD, before=NOW, limit=2) for _ in range(3)] == [2, 1, 0]


def test_a_users_oldest_update_is_the_one_to_handle_first(tx: Transaction) -> None:
    def oldest() -> InboxRow | None:
        return inbox.oldest_unfinished(tx, bot_id=BOT, user_id=USER)

    assert oldest() is None
    inbox.store(tx, [inbox_row(7), inbox_row(5), inbox_row(3, user_id=2)])
    inbox.store(tx, [evolve(inbox_row(1), bot_id=BotId(1))])
    assert oldest() == inbox_row(5)
    end(tx, 5)
    assert oldest() == inbox_row(7)
    end(tx, 7)
    assert oldest() is None


def test_instances_with_the_same_updates_write_them_in_one_order(tx: Transaction) -> None:
    """Else two of them wait for each other's rows."""
    noted = NotingTransaction(tx)
    inbox.store(noted, [inbox_row(3), inbox_row(1), inbox_row(2)])
    [(_, parameters)] = noted.executed
    assert isinstance(parameters, list)
    assert parameters[1::11] == [1, 2, 3]
