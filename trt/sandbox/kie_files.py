"""Files at the pretended KIE: uploads, results, and links to them, each with its expiry."""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx
import msgspec
import trio
from attrs import Factory, define, field, frozen

from trt.sandbox import clip, drawing
from trt.sandbox.faults import gateway_page
from trt.sandbox.http import MalformedBody, Reply, Request, Upload, arguments
from trt.sandbox.kie_envelope import Declined, envelope
from trt.sandbox.kie_task import FakeTask
from trt.sources import Sources

ACCOUNT = "136592"
UPLOADS = f"/kieai/{ACCOUNT}/"
RESULTS = "/results/"
LINKS = "/links/"
LINK_S = 20 * 60.0
FETCH_S = 30.0
"""How long KIE tries to download a file that it is given by address."""


@frozen(kw_only=True)
class StoredFile:
    """An upload."""

    data: bytes = field(repr=False)
    content_type: str
    stored_at: datetime


@define(kw_only=True)
class FileStore:
    """What `/kieai/…`, `/results/…` and `/links/…` serve."""

    sources: Sources
    http: httpx.AsyncClient
    base_url: str
    uploads_kept_s: float
    results_kept_s: float
    uploads: dict[str, StoredFile] = Factory(dict)
    """By path below the account's folder; the same name again replaces the file."""
    _results: dict[str, FakeTask] = Factory(dict)
    _links: dict[str, tuple[str, datetime]] = Factory(dict)

    # Uploads

    async def upload(self, kind: str, request: Request) -> Reply:
        """Take a file: `kind` is stream, base64 or url, as the endpoint is called."""
        try:
            given = arguments(request)
        except MalformedBody:
            raise Declined(400, "Invalid request body") from None
        path = given.get("uploadPath")
        if not isinstance(path, str) or not path.strip("/"):
            raise Declined(400, "uploadPath is required")
        name, content_type, data = await self._taken(kind, given)
        name = str(given.get("fileName") or "") or self._random_name(name)
        stored = StoredFile(data=data, content_type=content_type, stored_at=self.sources.now())
        key = f"{path.strip('/')}/{name}"
        self.uploads[key] = stored
        body = {
            "success": True,
            "code": 200,
            "msg": "File uploaded successfully",
            "data": {
                "success": True,
                "fileName": name,
                "filePath": f"{UPLOADS}{key}".removeprefix("/"),
                "downloadUrl": f"{self.base_url}{UPLOADS}{key}",
                "fileSize": len(data),
                "mimeType": content_type,
                "uploadedAt": f"{stored.stored_at:%Y-%m-%dT%H:%M:%S}.000Z",
            },
        }
        return Reply(status=200, body=msgspec.json.encode(body))

    async def _taken(self, kind: str, given: Mapping[str, object]) -> tuple[str, str, bytes]:
        """Return name, type and bytes of what came."""
        match kind, given.get("file"), given.get("base64Data"), given.get("fileUrl"):
            case "stream", Upload(name=name, content_type=content_type, data=data), _, _ if data:
                return name, content_type, data
            case "base64", _, str(text), _ if text:
                head, _, coded = text.rpartition(",")
                content_type = head.removeprefix("data:").partition(";")[0] or "image/png"
                try:
                    data = base64.b64decode(coded, validate=True)
                except binascii.Error:
                    raise Declined(400, "Invalid base64 data") from None
                return f"file.{content_type.rpartition('/')[2]}", content_type, data
            case "url", _, _, str(url) if url:
                return await self._fetched(url)
            case _:
                raise Declined(400, "file is required")

    async def _fetched(self, url: str) -> tuple[str, str, bytes]:
        with trio.move_on_after(FETCH_S):
            try:
                response = await self.http.get(url)
            except (httpx.HTTPError, httpx.InvalidURL):
                raise Declined(500, "Failed to download the file") from None
            if response.is_success:
                name = PurePosixPath(urlsplit(url).path).name
                return name, response.headers.get("content-type", ""), response.content
        raise Declined(500, "Failed to download the file")

    def _random_name(self, name: str) -> str:
        now_ms = int(self.sources.now().timestamp() * 1000)
        return f"{now_ms}-{self.sources.token(10)}{PurePosixPath(name).suffix or '.bin'}"

    def is_missing(self, url: str) -> bool:
        """Return whether `url` is one of an upload that is not there or not there any more."""
        head, _, key = url.partition(f"{self.base_url}{UPLOADS}")
        return not head and bool(key) and self._stored(key) is None

    def _stored(self, key: str) -> StoredFile | None:
        stored = self.uploads.get(unquote(key))
        if stored is None or self._age_s(stored.stored_at) > self.uploads_kept_s:
            return None
        return stored

    # Results and links

    def add_results(self, task: FakeTask, count: int, suffix: str) -> tuple[str, ...]:
        """Return the addresses of the files that a task has made."""
        names = [f"{task.task_id}_{number + 1}.{suffix}" for number in range(count)]
        self._results |= dict.fromkeys(names, task)
        return tuple(f"{self.base_url}{RESULTS}{name}" for name in names)

    def link(self, body: bytes) -> Reply:
        """Answer download-url: another address of a result or an upload, good for 20 minutes."""
        try:
            url = msgspec.json.decode(body, type=dict[str, object]).get("url")
        except msgspec.DecodeError:
            url = None
        path = str(url).removeprefix(self.base_url)
        if path == url or not path.startswith((RESULTS, UPLOADS)):
            raise Declined(422, "url is wrong")
        token = self.sources.token(32)
        self._links[token] = (path, self.sources.now())
        return envelope(200, "success", f"{self.base_url}{LINKS}{token}")

    async def serve(self, path: str) -> Reply:
        """Return the file at a path, or a 404 page when there is none or none any more."""
        if path.startswith(LINKS):
            path, made_at = self._links.get(path.removeprefix(LINKS), ("", self.sources.now()))
            if self._age_s(made_at) > LINK_S:
                return gateway_page(404)
        if path.startswith(UPLOADS):
            stored = self._stored(path.removeprefix(UPLOADS))
            if stored is not None:
                return Reply(status=200, body=stored.data, content_type=stored.content_type)
        elif path.startswith(RESULTS):
            name = path.removeprefix(RESULTS)
            task = self._results.get(name)
            ended_at = None if task is None else task.completed_at
            is_there = ended_at is not None and self._age_s(ended_at) <= self.results_kept_s
            if task is not None and is_there:
                return await _result(task, name)
        return gateway_page(404)

    def _age_s(self, since: datetime) -> float:
        return (self.sources.now() - since).total_seconds()


async def _result(task: FakeTask, name: str) -> Reply:
    prompt, ratio = str(task.given["prompt"]), str(task.given.get("aspect_ratio", "1:1"))
    stem, _, suffix = name.rpartition(".")
    variant = f"{prompt}\n{stem.rpartition('_')[2]}"
    if suffix == "mp4":
        data = await clip.encode(variant, ratio, duration_s=int(task.given["duration"]))
        return Reply(status=200, body=data, content_type="video/mp4")
    resolution = str(task.given.get("resolution", "1K"))
    data = drawing.picture(variant, ratio, resolution=resolution, suffix=suffix)
    kind = "jpeg" if suffix == "jpg" else suffix
    return Reply(status=200, body=data, content_type=f"image/{kind}")
