"""Poller: with BOT_MODE=polling the active instance asks Telegram for updates itself."""

from collections.abc import Callable

from trt.actors.update_ingress import Accept, NotStored
from trt.actors.webhook_keeper import ALLOWED_UPDATES
from trt.storage.inbox import InboxRow
from trt.supervision import AskTimedOut, Context, Ref
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnavailable
from trt.telegram.outcomes import Conflict, RateLimited
from trt.telegram.updates import BadUpdate

POLL_S = 25
RETRY_S = 3.0
COMMIT_WITHIN_S = 10.0


class Poller:
    """Long polling; the offset moves past an update only after its commit.

    Sends `Accept` to the update ingress, one by one in Telegram's order. The offset lives at
    Telegram: a restart asks again for all that was not confirmed, and the inbox knows duplicates.
    """

    def __init__(
        self,
        telegram: TelegramClient,
        ingress: Ref[Accept],
        receive: Callable[[bytes], InboxRow | BadUpdate],
    ) -> None:
        self._telegram = telegram
        self._ingress = ingress
        self._receive = receive

    async def run(self, ctx: Context[None]) -> None:
        """Poll until asked to stop."""
        ctx.ready()
        offset = 0
        await self._without_webhook(ctx)
        while not ctx.is_stopping:
            try:
                got = await self._ask(ctx, offset)
            except TelegramUnavailable:
                await ctx.sleep(RETRY_S)
                continue
            if isinstance(got, Conflict | RateLimited):
                await ctx.sleep(RETRY_S)
                continue
            for body in got:
                row = self._receive(body)
                assert not isinstance(row, BadUpdate), "Telegram sends updates with an id"
                if not await self._commit(row):
                    await ctx.sleep(RETRY_S)
                    break
                offset = row.update_id + 1

    async def _ask(
        self, ctx: Context[None], offset: int
    ) -> tuple[bytes, ...] | Conflict | RateLimited:
        """Ask for updates; a request to stop ends the waiting, and nothing is confirmed by it."""
        with ctx.stop.interrupts():
            return await self._telegram.get_updates(offset, POLL_S, ALLOWED_UPDATES)
        return ()

    async def _without_webhook(self, ctx: Context[None]) -> None:
        """Remove the webhook, which forbids polling; pending updates stay."""
        while not ctx.is_stopping:
            try:
                await self._telegram.delete_webhook()
            except TelegramUnavailable:
                await ctx.sleep(RETRY_S)
            else:
                return

    async def _commit(self, row: InboxRow) -> bool:
        try:
            verdict = await self._ingress.ask(Accept(row), COMMIT_WITHIN_S)
        except AskTimedOut:
            return False
        return not isinstance(verdict, NotStored)
