"""The way into the service for `trt bench chaos`: one address, behind it whoever answers."""

from collections.abc import Sequence
from itertools import count

import httpx
from attrs import define, field
from typing_extensions import override


@define(eq=False)
class Doors(httpx.AsyncBaseTransport):
    """Carries every request to an instance in turn, and to the next one if nobody opens.

    Once somebody has opened, there is no second try: whoever posted has to post again.
    """

    _ports: Sequence[int]
    _inner: httpx.AsyncHTTPTransport = field(factory=httpx.AsyncHTTPTransport)
    _turns: "count[int]" = field(factory=count)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request on its way.

        Raises:
            ConnectError: Nobody opens.
        """
        first, *others = self._in_turn()
        for port in (first, *others[:-1]):
            try:
                return await self._inner.handle_async_request(_at(request, port))
            except httpx.ConnectError:
                continue
        return await self._inner.handle_async_request(_at(request, others[-1]))

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()

    def _in_turn(self) -> Sequence[int]:
        turn = next(self._turns) % len(self._ports)
        return (*self._ports[turn:], *self._ports[:turn])


def _at(request: httpx.Request, port: int) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(port=port),
        headers=request.headers,
        stream=request.stream,
        extensions=request.extensions,
    )
