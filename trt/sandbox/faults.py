"""Misfortunes that can be ordered for the next calls of a pretended service."""

from collections.abc import Awaitable, Callable, Mapping
from typing import assert_never

import trio
from attrs import Factory, define, field, frozen

from trt.sandbox.http import ConnectionCut, Reply


@frozen(kw_only=True)
class Call:
    """One call as a service understood it."""

    name: str
    """The Bot API method or the KIE endpoint, as documented."""
    arguments: Mapping[str, object] = field(factory=dict, repr=False)

    @property
    def chat_id(self) -> int | None:
        """The chat that the call is about, if it names one."""
        value = self.arguments.get("chat_id")
        try:
            return int(str(value))
        except ValueError:
            return None


CallHook = Callable[[Call], Awaitable[None]]


@frozen
class TooMany:
    """429: nothing was done, come back later."""

    retry_after_s: int = 1


@frozen
class ServerError:
    """An answer of a gateway, in HTML; nothing was done."""

    status: int = 502


@frozen
class Slow:
    """The call is executed, but only after this time; in process a caller who gives up stops it."""

    seconds: float


@frozen
class SlowAnswer:
    """The call is executed at once, but its answer takes this time; who gives up is too late."""

    seconds: float


@frozen
class CutBefore:
    """The connection is lost and nothing was done."""


@frozen
class CutAfter:
    """The call was executed, then the connection was lost before the answer."""


Fault = TooMany | ServerError | Slow | SlowAnswer | CutBefore | CutAfter


@define
class _Ordered:
    method: str | None
    fault: Fault
    times: int
    chat_id: int | None


@define
class Faults:
    """The orders not yet used up, first come first served."""

    _ordered: list[_Ordered] = Factory(list)

    def add(
        self, method: str | None, fault: Fault, times: int = 1, chat_id: int | None = None
    ) -> None:
        """Let the next `times` calls of `method` (None: of any) suffer `fault`.

        With `chat_id` only calls about that chat count.
        """
        assert times > 0
        self._ordered.append(_Ordered(method, fault, times, chat_id))

    def take(self, call: Call) -> Fault | None:
        """Return the fault that `call` must suffer, and count it as used."""
        for order in self._ordered:
            if order.method not in {None, call.name}:
                continue
            if order.chat_id is not None and order.chat_id != call.chat_id:
                continue
            order.times -= 1
            if order.times == 0:
                self._ordered.remove(order)
            return order.fault
        return None

    async def carry_out(
        self,
        call: Call,
        execute: Callable[[], Awaitable[Reply]],
        *,
        too_many: Callable[[int], Exception],
    ) -> Reply:
        """Execute `call`, unless something was ordered to go wrong with it.

        Args:
            call: what is about to be done.
            execute: does it.
            too_many: makes the service's own 429 from the seconds to wait.

        Raises:
            ConnectionCut: that was ordered, before or after executing.
        """
        fault = self.take(call)
        match fault:
            case TooMany(retry_after_s):
                raise too_many(retry_after_s)
            case ServerError(status):
                return gateway_page(status)
            case CutBefore():
                raise ConnectionCut
            case CutAfter():
                await execute()
                raise ConnectionCut
            case Slow(seconds):
                await trio.sleep(seconds)
                return await execute()
            case SlowAnswer(seconds):
                reply = await execute()
                await trio.sleep(seconds)
                return reply
            case None:
                return await execute()
            case _:
                assert_never(fault)

    def clear(self) -> None:
        """Forget every order."""
        self._ordered.clear()


def gateway_page(status: int) -> Reply:
    """Return the HTML that a gateway answers with when what is behind it is down."""
    page = f"<html><head><title>{status}</title></head><body>{status}</body></html>"
    return Reply(status=status, body=page.encode(), content_type="text/html")
