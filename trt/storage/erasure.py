"""The deletion of what a user told us; what moved money stays, without the words."""

from trt.domain.ids import BotId, ChatId, Shard, UpdateId, UserId
from trt.storage.database import Transaction


def erase(
    tx: Transaction,
    *,
    user_id: UserId,
    chat_id: ChatId,
    bot_id: BotId,
    update_id: UpdateId,
    shard: Shard,
    epoch: int,
) -> None:
    """Empty a user's past orders, messages and replies; twice changes nothing.

    The rows stay: an update must be known as seen, an order is what a payment was for, and a
    message can be edited on. What has not ended is left alone: a reply that waits to be sent, and
    an update that waits to be handled, go with the others three days after they end.

    Args:
        tx: The transaction in which the user asks for it.
        user_id: Whose words.
        chat_id: Where they were said.
        bot_id: To whom.
        update_id: The update that asks for it; it is emptied too, though it ends only now.
        shard: Where the user's rows are.
        epoch: The lease's.
    """
    tx.execute(
        """
        UPDATE outbox SET reply = '', epoch = :epoch
        WHERE chat_id = :chat_id AND shard = :shard AND state <> 'pending' AND cid IN (
          SELECT cid FROM inbox WHERE user_id = :user_id
          UNION SELECT cid FROM jobs WHERE user_id = :user_id)
        """,
        {"chat_id": chat_id, "shard": shard, "user_id": user_id, "epoch": epoch},
    )
    tx.execute(
        """
        UPDATE inbox SET payload = :nothing
        WHERE user_id = :user_id AND bot_id = :bot_id
          AND (state <> 'new' OR update_id = :update_id)
        """,
        {"nothing": b"", "user_id": user_id, "bot_id": bot_id, "update_id": update_id},
    )
    tx.execute(
        """
        UPDATE jobs SET params = '{}', result_urls = '[]', look_again_at = NULL, epoch = :epoch
        WHERE user_id = :user_id AND state IN ('delivered', 'failed')
        """,
        {"user_id": user_id, "epoch": epoch},
    )
