"""A transport between a client and a script: what the wire says is up to the test."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
from typing_extensions import override


class Wire(httpx.AsyncBaseTransport):
    """Notes every request and answers as the test says."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], Awaitable[httpx.Response]] | None = None

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        assert self.answer is not None, "the test did not say what to answer"
        return await self.answer(request)

    @property
    def method(self) -> str:
        """The last part of the last request's path: of the Bot API that is the method."""
        return self.requests[-1].url.path.rpartition("/")[2]

    @property
    def arguments(self) -> Any:
        """The last request's JSON body."""
        return msgspec.json.decode(self.requests[-1].content)

    def says(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        """Answer every request with `body`, as JSON unless it is bytes."""

        async def answer(_request: httpx.Request) -> httpx.Response:
            content = body if isinstance(body, bytes) else msgspec.json.encode(body)
            return httpx.Response(status, content=content, headers=headers)

        self.answer = answer

    def breaks(self, error: type[httpx.RequestError]) -> None:
        """Break every request with an error that holds address and key, as httpx's own do."""

        async def answer(request: httpx.Request) -> httpx.Response:
            key = request.headers.get("Authorization", "")
            raise error(f"while calling {request.url} with {key}", request=request)

        self.answer = answer
