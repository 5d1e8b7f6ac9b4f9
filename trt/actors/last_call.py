"""LastCall: the first of a branch to stop; it has the delivery take nothing new from then on."""

from collections.abc import Callable

from attrs import define

from trt.supervision import Context


@define(eq=False)
class Closing:
    """Whether the branch is about to stop."""

    is_on: bool = False


class LastCall:
    """Says that the branch stops while the sessions still finish.

    What is under way to users can then arrive meanwhile, and what is written meanwhile is for the
    next holder to send: it takes over the sooner. Receives nothing; it is last in its list, so the
    first to be stopped. Its own restart takes the word back.
    """

    def __init__(self, closing: Closing, wake_delivery: Callable[[], None]) -> None:
        self._closing = closing
        self._wake_delivery = wake_delivery

    async def run(self, ctx: Context[None]) -> None:
        """Wait for the end."""
        self._closing.is_on = False
        self._wake_delivery()
        ctx.ready()
        await ctx.wait_stopping()
        self._closing.is_on = ctx.stop.is_final  # a restart of the group is not the end
