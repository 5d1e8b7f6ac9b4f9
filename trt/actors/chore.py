"""A chore: work that can wait, done some seconds after a takeover and then again and again."""

from collections.abc import Awaitable, Callable

from trt.supervision import Context

FIRST_AFTER_S = 3.0
"""The first seconds after a takeover belong to those who wait."""


async def keep_doing(ctx: Context[None], chore: Callable[[], Awaitable[float]]) -> None:
    """Do `chore` until asked to stop; it returns the seconds until its next time."""
    ctx.ready()
    pause_s = FIRST_AFTER_S
    while await ctx.sleep(pause_s):
        pause_s = await chore()
