"""Files at Telegram: taken from an upload, from an address or by file_id, and given out again."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx
import trio
from attrs import field, frozen

from trt.sandbox.http import Upload
from trt.sandbox.telegram_chat import FakeFile
from trt.sandbox.telegram_checks import PHOTO_BYTES_MAX, check_upload_size, checked_photo
from trt.sandbox.telegram_refusal import Refused
from trt.sources import Sources

PHOTO_BY_URL_BYTES_MAX = 5 * 1024 * 1024
FILE_BY_URL_BYTES_MAX = 20 * 1024 * 1024
DOWNLOAD_BYTES_MAX = 20 * 1024 * 1024
LINK_S = 60 * 60.0
"""Bot API, getFile: a link is good for at least an hour; here not a second longer."""
_TYPES_BY_URL = {
    "photo": ("image/",),
    "video": ("video/",),
    "audio": ("audio/",),
    "document": ("application/pdf", "application/zip", "image/gif"),
}
"""What Telegram takes by address (Bot API, Sending files)."""
_FOLDERS = {"photo": "photos", "video": "videos", "audio": "music", "voice": "voice"}

assert PHOTO_BY_URL_BYTES_MAX < PHOTO_BYTES_MAX


@frozen
class Files:
    """Every file by its file_id."""

    _sources: Sources
    _http: httpx.AsyncClient
    _known: dict[str, FakeFile] = field(factory=dict, repr=False)
    _linked_at: dict[str, float] = field(factory=dict, repr=False)
    """When getFile named a path, in seconds on trio's clock."""

    async def take(self, kind: str, given: object, arguments: Mapping[str, object]) -> FakeFile:
        """Return the file that a send method means.

        Args:
            kind: What to send it as.
            given: An upload, an address, a file_id, or `attach://` and the name of an upload.
            arguments: All of the call, with its uploads.

        Raises:
            Refused: it cannot be had, or is not what Telegram would send as `kind`.
        """
        if isinstance(given, str) and given.startswith("attach://"):
            given = arguments.get(given.removeprefix("attach://"))
        if isinstance(given, Upload):
            return self.keep(kind, given.name, given.content_type, given.data)
        if not isinstance(given, str) or not given:
            raise Refused(400, f"Bad Request: there is no {kind} in the request")
        if given in self._known:
            return self._of_kind(kind, given)
        if urlsplit(given).scheme in {"http", "https"}:
            return await self._fetch(kind, given)
        raise Refused(400, "Bad Request: wrong file identifier/HTTP URL specified")

    def keep(self, kind: str, name: str, content_type: str, data: bytes) -> FakeFile:
        """Keep an upload.

        Raises:
            Refused: it is too big, or a photo that is none.
        """
        check_upload_size(kind, data)
        width, height = 0, 0
        if kind == "photo":
            size = checked_photo(data)
            width, height = size.width, size.height
        file = FakeFile(
            file_id=f"AgAC{self._sources.token(48)}",
            kind=kind,
            name=name,
            content_type=content_type,
            data=data,
            width=width,
            height=height,
        )
        self._known[file.file_id] = file
        return file

    def get(self, file_id: str) -> FakeFile | None:
        """Return a kept file."""
        return self._known.get(file_id)

    def link(self, file: FakeFile) -> str:
        """Return the file_path that getFile names; good for an hour from now."""
        path = f"{_FOLDERS.get(file.kind, 'documents')}/{file.file_id}"
        self._linked_at[path] = trio.current_time()
        return path

    def at_path(self, path: str) -> FakeFile | None:
        """Return the file that a file_path names, while the path is good."""
        linked_at = self._linked_at.get(path)
        if linked_at is None or trio.current_time() - linked_at > LINK_S:
            return None
        return self.get(path.rpartition("/")[2])

    def _of_kind(self, kind: str, file_id: str) -> FakeFile:
        file = self._known[file_id]
        if file.kind != kind:
            why = f"can't use file of type {file.kind.title()} as {kind.title()}"
            raise Refused(400, f"Bad Request: {why}")
        return file

    async def _fetch(self, kind: str, url: str) -> FakeFile:
        try:
            response = await self._http.get(url, timeout=None, follow_redirects=True)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise Refused(400, "Bad Request: failed to get HTTP URL content") from None
        if not response.is_success:
            raise Refused(400, "Bad Request: failed to get HTTP URL content")
        bytes_max = PHOTO_BY_URL_BYTES_MAX if kind == "photo" else FILE_BY_URL_BYTES_MAX
        if len(response.content) > bytes_max:
            raise Refused(400, "Bad Request: file is too big")
        content_type = response.headers.get("content-type", "").partition(";")[0]
        expected = _TYPES_BY_URL.get(kind, ("",))
        if not content_type.startswith(expected):
            raise Refused(400, "Bad Request: wrong type of the web page content")
        name = urlsplit(url).path.rpartition("/")[2] or kind
        return self.keep(kind, name, content_type, response.content)
