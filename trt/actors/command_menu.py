"""CommandMenu: the active instance gives Telegram's clients the list of commands."""

from trt.actors.telegram_setup import set_up
from trt.domain.copy import LANGUAGE_DEFAULT, Copies, Copy
from trt.domain.menu_screens import commands
from trt.sources import Sources
from trt.supervision import Context
from trt.telegram.client import TelegramClient
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream


class CommandMenu:
    """Sets the commands of each language, the default one's for everybody who speaks another.

    Receives nothing. It tries for as long as it takes and ends when all are set; what was set
    before is set again, which does no harm. A restart begins anew.
    """

    def __init__(
        self, telegram: TelegramClient, events: EventStream, sources: Sources, copies: Copies
    ) -> None:
        self._telegram = telegram
        self._events = events
        self._sources = sources
        self._copies = copies

    async def run(self, ctx: Context[None]) -> None:
        """Set them, however long it takes."""
        ctx.ready()
        for copy in self._copies.by_language.values():
            pause_s = await self._set(copy)
            while pause_s is not None:
                if not await ctx.sleep(pause_s):
                    return
                pause_s = await self._set(copy)

    async def _set(self, copy: Copy) -> float | None:
        """Try once; returns the seconds until the next try, or None when they are set."""
        language_code = "" if copy.language == LANGUAGE_DEFAULT else copy.language
        not_yet = await set_up(self._telegram.set_my_commands(commands(copy), language_code))
        if not_yet is None:
            return None
        self._events.emit(
            EventName.MESSAGE_DELAYED,
            cid=self._sources.token(8),
            method="setMyCommands",
            delay_s=not_yet.retry_after_s,
            detail=not_yet.reason,
        )
        return not_yet.retry_after_s
