"""How updates come in, and what Telegram is told about the bot, by who leads the first shard."""

from collections.abc import Callable

from trt.actors.command_menu import CommandMenu
from trt.actors.parts import Parts
from trt.actors.poller import Poller
from trt.actors.webhook_keeper import WebhookKeeper
from trt.domain.ids import Shard
from trt.domain.shard import FIRST_SHARD
from trt.supervision import Actor, Child, Restart


def update_source(
    parts: Parts, shard: Shard, leashed: Callable[[Actor[None]], Actor[None]]
) -> list[Child[None]]:
    """Return the actors; none for the other shards: one of them is enough.

    Args:
        parts: Of the service.
        shard: Which one's branch asks.
        leashed: Ties an actor to the lease.
    """
    if shard != FIRST_SHARD:
        return []
    menu = leashed(CommandMenu(parts.telegram, parts.events, parts.sources, parts.shop.copies))
    return [_door(parts, leashed), Child("menu", menu, restart=Restart.TRANSIENT, grace_s=1.0)]


def _door(parts: Parts, leashed: Callable[[Actor[None]], Actor[None]]) -> Child[None]:
    if parts.webhook is None:
        ingress = parts.mailboxes.update_ingress.ref
        poller = leashed(Poller(parts.telegram, ingress, parts.reception.receive))
        return Child("poller", poller, grace_s=1.0)
    keeper = leashed(WebhookKeeper(parts.telegram, parts.events, parts.webhook))
    return Child("webhook", keeper, restart=Restart.TRANSIENT, grace_s=1.0)
