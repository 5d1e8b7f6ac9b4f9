"""What was decided when the installation was made: how many shards its users are spread over."""

from trt.domain.ids import Shard
from trt.domain.ledger import system_accounts_of
from trt.domain.shard import SHARDS_MAX
from trt.storage.database import Transaction
from trt.storage.errors import ShardsDiffer


def settle(tx: Transaction, *, shards: int) -> None:
    """Note the number of shards at the very first start and hold everybody to it afterwards.

    Raises:
        ShardsDiffer: It was settled otherwise before.
    """
    assert 1 <= shards <= SHARDS_MAX
    tx.execute(
        """
        INSERT INTO installation (only_row, shards) VALUES (1, :shards)
        ON CONFLICT (only_row) DO NOTHING
        """,
        {"shards": shards},
    )
    [settled] = tx.execute("SELECT shards FROM installation").one()
    if settled != shards:
        raise ShardsDiffer(settled, shards)
    for number in range(shards):
        shard = Shard(number)
        for account_id in system_accounts_of(shard):
            tx.execute(
                """
                INSERT INTO accounts (account_id, kind, shard)
                VALUES (:account_id, 'system', :shard)
                ON CONFLICT (account_id) DO NOTHING
                """,
                {"account_id": account_id, "shard": shard},
            )
