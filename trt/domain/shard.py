"""Which shard a user belongs to: nothing that a user does touches two of them."""

from zlib import crc32

from trt.domain.ids import Shard, UserId

SHARDS_MAX = 64
FIRST_SHARD = Shard(0)
"""Its leader does what is done once for all of them."""


def shard_of(user_id: UserId, shards: int) -> Shard:
    """Return the shard of a user.

    Args:
        user_id: Telegram's number.
        shards: How many the installation has; decided once, for all its life.
    """
    assert 1 <= shards <= SHARDS_MAX
    # Rows of years ago must be found again: the derivation never changes.
    return Shard(crc32(str(user_id).encode()) % shards)
