"""Janitor: what a shard no longer needs does not stay."""

from collections.abc import Callable
from datetime import timedelta

from attrs import frozen

from trt.actors.chore import keep_doing
from trt.domain.ids import Shard
from trt.sources import Sources
from trt.storage import inbox, job_attempts, kie_callbacks, outbox
from trt.storage.database import Database
from trt.supervision import Context

KEPT_H = 72.0
"""Telegram repeats an update for at most 24 h; until then its number must be known as seen. And
nobody minds a status message of three days ago that is sent anew instead of being edited."""
SLICE_MAX = 1000
"""Forgotten in one transaction; more would keep the others waiting."""
EVERY_S = 3600.0
_PRUNES = (inbox.prune, outbox.prune, kie_callbacks.prune, job_attempts.prune)


@frozen(kw_only=True)
class JanitorParts:
    """What the janitor needs of the active branch."""

    db: Database
    sources: Sources
    shard: Shard


class Janitor:
    """Deletes handled updates, which hold what people wrote, sent replies, and old jobs' calls.

    Receives nothing, owns nothing; a restart only makes it look again.
    """

    def __init__(self, parts: JanitorParts) -> None:
        self._parts = parts

    async def run(self, ctx: Context[None]) -> None:
        """Clean soon after the start and then every hour."""
        await keep_doing(ctx, self._clean)

    async def _clean(self) -> float:
        parts, before = self._parts, self._parts.sources.now() - timedelta(hours=KEPT_H)

        async def forget_some(prune: Callable[..., int]) -> int:
            return await parts.db.transact(prune, shard=parts.shard, before=before, limit=SLICE_MAX)

        for prune in _PRUNES:
            while await forget_some(prune) == SLICE_MAX:
                pass
        return EVERY_S
