"""Reception: a posted body becomes an inbox row with a correlation id, or is refused by name."""

from attrs import frozen

from trt.domain.ids import BotId, Cid
from trt.domain.shard import shard_of
from trt.sources import Sources
from trt.storage.inbox import InboxRow
from trt.telegram.updates import BadUpdate, parse_update


@frozen(kw_only=True)
class Reception:
    """Reads the envelope only; what the update means is the session's business."""

    bot_id: BotId
    shards: int
    sources: Sources

    def receive(self, body: bytes) -> InboxRow | BadUpdate:
        """Return the row to commit for one posted update."""
        update = parse_update(body)
        if isinstance(update, BadUpdate):
            return update
        return InboxRow(
            bot_id=self.bot_id,
            update_id=update.update_id,
            user_id=update.user_id,
            chat_id=update.chat_id,
            kind=update.kind,
            callback_id=update.callback_id,
            cid=Cid(self.sources.token(8)),
            payload=body,
            received_at=self.sources.now(),
            shard=shard_of(update.user_id, self.shards),
        )
