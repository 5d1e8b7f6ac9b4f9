"""A network without sockets: each host name is an ASGI application in this process."""

import httpx
from typing_extensions import override

from trt.sandbox.http import ASGIApp, ConnectionCut
from trt.supervision import Context


class InProcessNetwork(httpx.AsyncBaseTransport):
    """Takes each request to the application of its host; a host without one refuses."""

    def __init__(self) -> None:
        self.apps: dict[str, ASGIApp] = {}

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        app = self.apps.get(request.url.host)
        if app is None:
            raise httpx.ConnectError("refused", request=request)
        try:
            return await httpx.ASGITransport(app).handle_async_request(request)
        except ConnectionCut:
            raise httpx.ReadError("cut", request=request) from None


class InProcessListener:
    """Stands where hypercorn stands: the host answers while it runs."""

    def __init__(self, network: InProcessNetwork, host: str, app: ASGIApp) -> None:
        self._network = network
        self._host = host
        self._app = app

    async def run(self, ctx: Context[None]) -> None:
        """Serve until asked to stop."""
        self._network.apps[self._host] = self._app
        ctx.ready()
        try:
            await ctx.wait_stopping()
        finally:
            # Another instance may have taken the host over meanwhile, as in a rolling deploy.
            if self._network.apps.get(self._host) is self._app:
                del self._network.apps[self._host]
