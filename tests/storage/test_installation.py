"""The number of shards is decided once, for all the installation's life."""

import pytest

from trt.domain.ids import Shard
from trt.domain.ledger import system_accounts_of
from trt.storage import installation
from trt.storage.database import Transaction
from trt.storage.errors import ShardsDiffer


def accounts(tx: Transaction) -> list[tuple[int, str, int]]:
    rows = tx.execute("SELECT account_id, kind, shard FROM accounts ORDER BY account_id DESC")
    return [(account_id, kind, shard) for account_id, kind, shard in rows]


@pytest.mark.parametrize("shards", [1, 4])
def test_the_first_start_decides_and_the_others_agree(tx: Transaction, shards: int) -> None:
    for _ in range(2):
        installation.settle(tx, shards=shards)
        assert accounts(tx) == [
            (account_id, "system", shard)
            for shard in range(shards)
            for account_id in system_accounts_of(Shard(shard))
        ]


def test_another_number_is_refused_with_the_mend(tx: Transaction) -> None:
    installation.settle(tx, shards=2)
    for shards in (1, 3):
        with pytest.raises(ShardsDiffer, match=rf"SHARDS=2 and .* SHARDS={shards}: set SHARDS=2"):
            installation.settle(tx, shards=shards)
    assert len(accounts(tx)) == 8
