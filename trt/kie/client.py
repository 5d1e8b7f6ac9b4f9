"""The calls that we make to KIE; everything httpx knows stays in this file."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, assert_never
from urllib.parse import urljoin

import httpx
import msgspec
import trio
from attrs import frozen
from typing_extensions import override

from trt.domain.ids import ModelId, TaskId
from trt.kie.answers import read_created, read_credits, read_record
from trt.kie.errors import KIEUnavailable, Trouble
from trt.kie.file_answers import read_link, read_uploaded
from trt.kie.outcomes import (
    CreateOutcome,
    FetchOutcome,
    LinkOutcome,
    OutcomeUnknown,
    RefusedResult,
    ResultFile,
    TaskRecord,
    UploadOutcome,
    Working,
)
from trt.kie.result_files import ResultHosts, content_type_of, name_for
from trt.kie.wire import private_texts

UPLOAD_BASE = "https://kieai.redpandaai.co"
"""docs.kie.ai, file upload: another host than the API's, the same key."""
CREATE_S_MAX = 30.0
"""Overall deadline of createTask; it answers within 0.6 s when all is well."""
READ_S_MAX = 15.0
UPLOAD_S_MAX = 120.0
FETCH_S_MAX = 180.0
REDIRECTS_MAX = 3
ANSWER_BYTES_MAX = 1_000_000
"""The longest answers that we ask for are records of a few kilobytes."""
UPLOAD_BYTES_MAX = 100_000_000
"""docs.kie.ai, file upload."""
UNKNOWN_STATES_MAX = 20
"""How many different words are counted apart."""

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
    trouble: Trouble


@frozen
class _Answer:
    status: int
    body: bytes
    retry_after_s: float | None


@frozen(kw_only=True)
class KIEStatistics:
    """What a client has seen that an operator should know of."""

    unknown_states: Mapping[str, int]
    """How often recordInfo named a state that we do not know."""


class KIEClient:
    """KIE for one key; nothing is tried again here, and nothing is held back: see `KIEGate`."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        key: str,
        result_hosts: Collection[str],
        *,
        upload_base: str = UPLOAD_BASE,
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._upload_base = upload_base.rstrip("/")
        self._key = key
        self._hosts = ResultHosts(result_hosts, base_url, upload_base)
        self._unknown_states: Counter[str] = Counter()

    @override
    def __repr__(self) -> str:
        return f"KIEClient({self._base_url})"

    def statistics(self) -> KIEStatistics:
        """Return what was counted since the start."""
        return KIEStatistics(unknown_states=dict(self._unknown_states))

    # Tasks

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
        answer = await self._post("/api/v1/jobs/createTask", order, CREATE_S_MAX)
        if isinstance(answer, _Lost):
            return OutcomeUnknown(why=answer.why)
        if isinstance(answer, _NotSent):
            raise KIEUnavailable(answer.why, trouble=Trouble.NOT_REACHED)
        # The callback address holds a signature: it is as private as the prompt.
        private = [self._key, callback_url or "", *private_texts(payload)]
        return read_created(answer.status, answer.body, answer.retry_after_s, private)

    async def record(self, task_id: TaskId) -> TaskRecord:
        """Return how a task is doing (GET /api/v1/jobs/recordInfo).

        Raises:
            KIEUnavailable: No usable answer; ask again later.
        """
        answer = await self._get("/api/v1/jobs/recordInfo", {"taskId": task_id})
        record = read_record(answer.status, answer.body, [self._key], answer.retry_after_s)
        if isinstance(record, Working) and record.unknown_state:
            self._count(record.unknown_state)
        return record

    def _count(self, state: str) -> None:
        is_full = len(self._unknown_states) >= UNKNOWN_STATES_MAX
        self._unknown_states[
            "other" if is_full and state not in self._unknown_states else state
        ] += 1

    async def credit_balance(self) -> Decimal:
        """Return our balance in credits of 0.005 USD (GET /api/v1/chat/credit).

        Raises:
            KIEUnavailable: No usable answer, also when the key is wrong.
        """
        answer = await self._get("/api/v1/chat/credit", {})
        return read_credits(answer.status, answer.body, [self._key])

    # Files

    async def upload(
        self, data: bytes, name: str, content_type: str, upload_path: str
    ) -> UploadOutcome:
        """Give KIE a file that a model is to work on (POST /api/file-stream-upload, multipart).

        KIE deletes it after 24 hours. Trying again is safe: the same name in the same path replaces
        what was there, so a name must not be used for anything else.

        Args:
            data: The file, at most `UPLOAD_BYTES_MAX` bytes and not empty.
            name: A unique file name with its extension, without slashes.
            content_type: The file's type.
            upload_path: The folder, without a leading or trailing slash.

        Returns:
            The address to give to the model, or why KIE does not take the file.

        Raises:
            KIEUnavailable: Not now; try again later.
        """
        assert 0 < len(data) <= UPLOAD_BYTES_MAX, f"{len(data)} bytes"
        assert name, "no file name"
        assert "/" not in name, "a name, not a path"
        assert upload_path == upload_path.strip("/") != "", "a folder without slashes at its ends"
        answer = await self._call(
            "POST",
            f"{self._upload_base}/api/file-stream-upload",
            UPLOAD_S_MAX,
            files={"file": (name, data, content_type)},
            data={"uploadPath": upload_path, "fileName": name},
        )
        answer = _answered(answer)
        return read_uploaded(answer.status, answer.body, self._hosts, [self._key])

    async def download_link(self, url: str) -> LinkOutcome:
        """Ask for a second address of a result, good for 20 min (POST …/common/download-url).

        Raises:
            KIEUnavailable: Not now; try again later.
        """
        answer = _answered(
            await self._post("/api/v1/common/download-url", {"url": url}, READ_S_MAX)
        )
        return read_link(answer.status, answer.body, self._hosts, [self._key])

    async def fetch_result(self, url: str, size_max: int) -> FetchOutcome:
        """Download a result of at most `size_max` bytes, without our key.

        Returns:
            The file, or why this address will never give one: host not on the list, not found,
            too big, not a file that is delivered.

        Raises:
            KIEUnavailable: The host did not answer as it should; try again.
        """
        trouble, kind = "no answer", Trouble.TIMEOUT
        with trio.move_on_after(FETCH_S_MAX):
            try:
                return await self._follow(url, size_max)
            except (httpx.RequestError, httpx.InvalidURL) as error:
                trouble, kind = type(error).__name__, Trouble.OUTAGE
        raise KIEUnavailable(f"result: {trouble}", trouble=kind)

    async def _follow(self, url: str, size_max: int) -> FetchOutcome:
        for _ in range(REDIRECTS_MAX + 1):
            if problem := self._hosts.problem(url):
                return RefusedResult(why=problem)
            # Compressed bytes would grow after they were counted.
            plain = {"Accept-Encoding": "identity"}
            async with self._http.stream(
                "GET", url, headers=plain, follow_redirects=False
            ) as response:
                if not response.has_redirect_location:
                    return await _download(response, size_max)
                url = urljoin(url, response.headers["Location"])
        return RefusedResult(why="too many redirects")

    # Calls

    async def _get(self, path: str, query: dict[str, str]) -> _Answer:
        url = self._base_url + path
        return _answered(await self._call("GET", url, READ_S_MAX, params=query))

    async def _post(
        self, path: str, body: Mapping[str, object], timeout_s: float
    ) -> _Answer | _NotSent | _Lost:
        return await self._call(
            "POST",
            self._base_url + path,
            timeout_s,
            content=msgspec.json.encode(body),
            headers={"Content-Type": "application/json"},
        )

    async def _call(
        self,
        method: str,
        url: str,
        timeout_s: float,
        *,
        headers: Mapping[str, str] | None = None,
        **request: Any,
    ) -> _Answer | _NotSent | _Lost:
        """Make a call; httpx's errors hold the request and so the key: they end here."""
        path = url.rpartition("/")[2]
        headers = {"Authorization": f"Bearer {self._key}", **(headers or {})}
        with trio.move_on_after(timeout_s):
            try:
                async with self._http.stream(
                    method, url, headers=headers, follow_redirects=False, **request
                ) as response:
                    # What is too long to be an answer of KIE's is read as none.
                    body = await _read(response, ANSWER_BYTES_MAX) or b""
                    return _Answer(response.status_code, body, _retry_after_s(response))
            except (*SURELY_NOT_SENT, httpx.InvalidURL) as error:
                return _NotSent(f"{path}: not sent, {type(error).__name__}")
            except httpx.RequestError as error:
                why = f"{path}: answer lost, {type(error).__name__}"
                is_late = isinstance(error, httpx.TimeoutException)
                return _Lost(why, Trouble.TIMEOUT if is_late else Trouble.OUTAGE)
        return _Lost(f"{path}: no answer within {timeout_s:g} s", Trouble.TIMEOUT)


def _answered(answer: _Answer | _NotSent | _Lost) -> _Answer:
    """Return the answer of a call that may be made twice.

    Raises:
        KIEUnavailable: There is none.
    """
    match answer:
        case _Answer():
            return answer
        case _NotSent(why=why):
            raise KIEUnavailable(why, trouble=Trouble.NOT_REACHED)
        case _Lost(why=why, trouble=trouble):
            raise KIEUnavailable(why, trouble=trouble)
        case _:
            assert_never(answer)


def _retry_after_s(response: httpx.Response) -> float | None:
    header = response.headers.get("Retry-After", "")
    return float(header) if re.fullmatch(r"[0-9]{1,6}", header) else None


async def _read(response: httpx.Response, size_max: int) -> bytes | None:
    """Return the body, or None if it is bigger than `size_max` bytes."""
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > size_max:
        return None
    data = bytearray()
    # Leaving the loop would leave httpx's generators behind half-read; a cancelled scope unwinds
    # them and closes the connection.
    with trio.CancelScope() as enough:
        async for chunk in response.aiter_bytes():
            if len(data) + len(chunk) > size_max:
                enough.cancel()
            else:
                data += chunk
    return None if enough.cancel_called else bytes(data)


async def _download(response: httpx.Response, size_max: int) -> FetchOutcome:
    status = response.status_code
    if status >= 500 or status in (408, 429):  # noqa: PLR2004 - HTTP
        raise KIEUnavailable(f"result: HTTP {status}")
    if status != 200:  # noqa: PLR2004 - HTTP
        return RefusedResult(why=f"HTTP {status}")
    data = await _read(response, size_max)
    if data is None:
        return RefusedResult(why=f"bigger than {size_max} bytes", is_too_big=True)
    content_type = content_type_of(data, response.headers.get("Content-Type", ""))
    if content_type is None:
        return RefusedResult(why="not a picture, a video or a sound")
    return ResultFile(name=name_for(content_type), content_type=content_type, data=data)
