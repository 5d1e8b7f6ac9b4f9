"""What KIE's answers about files mean for us: uploads, and second addresses of results."""

from collections.abc import Iterable, Mapping

from trt.domain.reasons import Reason
from trt.kie.answers import OK, unavailable
from trt.kie.errors import KIEUnavailable, Trouble
from trt.kie.outcomes import (
    DownloadLink,
    LinkOutcome,
    RefusedResult,
    Uploaded,
    UploadOutcome,
    UploadRefused,
)
from trt.kie.result_files import ResultHosts
from trt.kie.verdicts import verdict
from trt.kie.wire import operator_text, read_envelope, unwrapped

_URL_KEYS = ("downloadUrl", "fileUrl")
"""The first is what was recorded, the second what a page of the documentation says."""
_OUTAGE_CODE = 500
_NOT_FOUND_CODES = frozenset({404, 422})
_OURS = frozenset({Reason.KIE_ACCOUNT, Reason.KIE_NO_CREDITS})


def read_uploaded(
    status: int, body: bytes, hosts: ResultHosts, private: Iterable[str]
) -> UploadOutcome:
    """Return how an upload ended.

    Args:
        status: HTTP status.
        body: The body as it came.
        hosts: Where KIE keeps files: the address is handed to a model, so it has to be one there.
        private: Texts that must not show up in the outcome.

    Raises:
        KIEUnavailable: Not now. A second upload under the same name replaces the first, so trying
            again is always safe.
    """
    envelope = read_envelope(body)
    if envelope is None:
        raise unavailable("upload", status, None, private)
    if envelope.code == OK:
        url = _url(unwrapped(envelope.data))
        if url is None:
            raise unavailable("upload", status, envelope, private)
        if problem := hosts.problem(url):
            return UploadRefused(reason=Reason.KIE_REFUSED, code=OK, detail=f"its {problem}")
        return Uploaded(url=url)
    detail = operator_text(envelope.msg, iter(private))
    why = verdict(envelope.code, envelope.msg)
    # The file service names missing fields with 400; its 500 is an outage, whatever it says.
    if isinstance(why, Trouble) or envelope.code == _OUTAGE_CODE:
        trouble = why if isinstance(why, Trouble) else Trouble.OUTAGE
        raise KIEUnavailable(f"upload: {envelope.code} {detail}", trouble=trouble)
    reason = why if why in _OURS else Reason.KIE_REFUSED
    return UploadRefused(reason=reason, code=envelope.code, detail=detail)


def read_link(status: int, body: bytes, hosts: ResultHosts, private: Iterable[str]) -> LinkOutcome:
    """Return the second address of a result; 422 "url is wrong" is for what is not KIE's.

    Raises:
        KIEUnavailable: Not now.
    """
    envelope = read_envelope(body)
    if envelope is not None and envelope.code == OK:
        url = envelope.data
        if isinstance(url, str) and url:
            problem = hosts.problem(url)
            return DownloadLink(url=url) if problem is None else RefusedResult(why=f"its {problem}")
    elif envelope is not None and envelope.code in _NOT_FOUND_CODES:
        said = operator_text(envelope.msg, iter(private))
        return RefusedResult(why=f"{envelope.code} {said}")
    raise unavailable("download-url", status, envelope, private)


def _url(data: object) -> str | None:
    if not isinstance(data, Mapping):
        return None
    found = (data.get(key) for key in _URL_KEYS)
    return next((url for url in found if isinstance(url, str) and url), None)
