"""The calls that we make to KIE; everything httpx knows stays in this file."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urljoin

import httpx
import msgspec
import trio
from attrs import frozen
from typing_extensions import override

from trt.domain.ids import ModelId, TaskId
from trt.kie.answers import read_created, read_credits, read_record
from trt.kie.errors import KIEUnavailable
from trt.kie.outcomes import (
    CreateOutcome,
    FetchOutcome,
    OutcomeUnknown,
    RefusedResult,
    ResultFile,
    TaskRecord,
)
from trt.kie.result_files import ResultHosts, content_type_of, name_for
from trt.kie.wire import private_texts

CREATE_S_MAX = 30.0
"""Overall deadline of createTask; it answers within 0.6 s when all is well."""
READ_S_MAX = 15.0
FETCH_S_MAX = 180.0
REDIRECTS_MAX = 3

SURELY_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
"""No byte of the request reached KIE. After any other error it may have taken the order."""


@frozen
class _NotSent:
    why: str


@frozen
class _Lost:
    why: str


@frozen
class _Answer:
    status: int
    body: bytes
    retry_after_s: float | None


class KIEClient:
    """KIE for one key; nothing is tried again here."""

    def __init__(
        self, http: httpx.AsyncClient, base_url: str, key: str, result_hosts: Collection[str]
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._hosts = ResultHosts(result_hosts, base_url)

    @override
    def __repr__(self) -> str:
        return f"KIEClient({self._base_url})"

    async def create_task(
        self,
        model_id: ModelId,
        payload: Mapping[str, Any],
        callback_url: str | None,
    ) -> CreateOutcome:
        """Order a generation (POST /api/v1/jobs/createTask); it has no idempotency key.

        Args:
            model_id: KIE's name of the model.
            payload: The model's own parameters, KIE's `input`.
            callback_url: Where KIE tells us that it is finished; None, and it does not.

        Raises:
            KIEUnavailable: KIE could not be reached, so it surely took nothing.
        """
        order: dict[str, object] = {"model": model_id, "input": dict(payload)}
        if callback_url is not None:
            order["callBackUrl"] = callback_url
        answer = await self._call(
            "POST", "/api/v1/jobs/createTask", CREATE_S_MAX, content=msgspec.json.encode(order)
        )
        if isinstance(answer, _Lost):
            return OutcomeUnknown(why=answer.why)
        if isinstance(answer, _NotSent):
            raise KIEUnavailable(answer.why)
        # The callback address holds a signature: it is as private as the prompt.
        private = [self._key, callback_url or "", *private_texts(payload)]
        return read_created(answer.status, answer.body, answer.retry_after_s, private)

    async def record(self, task_id: TaskId) -> TaskRecord:
        """Return how a task is doing (GET /api/v1/jobs/recordInfo).

        Raises:
            KIEUnavailable: No usable answer; ask again later.
        """
        answer = await self._read("/api/v1/jobs/recordInfo", {"taskId": task_id})
        return read_record(answer.status, answer.body, [self._key])

    async def credits(self) -> Decimal:
        """Return our balance in credits of 0.005 USD (GET /api/v1/chat/credit).

        Raises:
            KIEUnavailable: No usable answer, also when the key is wrong.
        """
        answer = await self._read("/api/v1/chat/credit", {})
        return read_credits(answer.status, answer.body, [self._key])

    async def fetch_result(self, url: str, size_max: int) -> FetchOutcome:
        """Download a result of at most `size_max` bytes, without our key.

        Returns:
            The file, or why this address will never give one: host not on the list, not found,
            too big, not a file that is delivered.

        Raises:
            KIEUnavailable: The host did not answer as it should; try again.
        """
        trouble = "no answer"
        with trio.move_on_after(FETCH_S_MAX):
            try:
                return await self._follow(url, size_max)
            except (httpx.RequestError, httpx.InvalidURL) as error:
                trouble = type(error).__name__
        raise KIEUnavailable(f"result: {trouble}")

    async def _follow(self, url: str, size_max: int) -> FetchOutcome:
        for _ in range(REDIRECTS_MAX + 1):
            if problem := self._hosts.problem(url):
                return RefusedResult(why=problem)
            async with self._http.stream("GET", url, follow_redirects=False) as response:
                if not response.has_redirect_location:
                    return await _download(response, size_max)
                url = urljoin(url, response.headers["Location"])
        return RefusedResult(why="too many redirects")

    async def _read(self, path: str, query: dict[str, str]) -> _Answer:
        answer = await self._call("GET", path, READ_S_MAX, params=query)
        if isinstance(answer, _Answer):
            return answer
        raise KIEUnavailable(answer.why)

    async def _call(
        self, method: str, path: str, timeout_s: float, **request: Any
    ) -> _Answer | _NotSent | _Lost:
        """Make a call; httpx's errors hold the request and so the key: they end here."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        with trio.move_on_after(timeout_s):
            try:
                response = await self._http.request(
                    method,
                    self._base_url + path,
                    headers=headers,
                    follow_redirects=False,
                    **request,
                )
            except (*SURELY_NOT_SENT, httpx.InvalidURL) as error:
                return _NotSent(f"{path}: not sent, {type(error).__name__}")
            except httpx.RequestError as error:
                return _Lost(f"{path}: answer lost, {type(error).__name__}")
            return _Answer(response.status_code, response.content, _retry_after_s(response))
        return _Lost(f"{path}: no answer within {timeout_s:g} s")


def _retry_after_s(response: httpx.Response) -> float | None:
    header = response.headers.get("Retry-After", "")
    return float(header) if header.isdecimal() else None


async def _download(response: httpx.Response, size_max: int) -> FetchOutcome:
    status = response.status_code
    if status >= 500 or status in (408, 429):  # noqa: PLR2004 - HTTP
        raise KIEUnavailable(f"result: HTTP {status}")
    if status != 200:  # noqa: PLR2004 - HTTP
        return RefusedResult(why=f"HTTP {status}")
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > size_max:
        return RefusedResult(why=f"bigger than {size_max} bytes")
    data = bytearray()
    # Leaving the loop would leave httpx's generators behind half-read; a cancelled scope unwinds
    # them and closes the connection.
    with trio.CancelScope() as enough:
        async for chunk in response.aiter_bytes():
            if len(data) + len(chunk) > size_max:
                enough.cancel()
            else:
                data += chunk
    if enough.cancel_called:
        return RefusedResult(why=f"bigger than {size_max} bytes")
    content_type = content_type_of(bytes(data), response.headers.get("Content-Type", ""))
    if content_type is None:
        return RefusedResult(why="not a picture, a video or a sound")
    return ResultFile(name=name_for(content_type), content_type=content_type, data=bytes(data))
