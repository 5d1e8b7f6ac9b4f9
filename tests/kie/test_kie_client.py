"""The KIE client: an order is created, refused, put off, or unknown, and never guessed."""

import json
import traceback
from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest
import trio

from tests.wire import Wire
from trt.domain.ids import ModelId, TaskId
from trt.domain.job import Phase
from trt.domain.reasons import Reason
from trt.kie.client import CREATE_S_MAX, SURELY_NOT_SENT, UPLOAD_BASE, KIEClient
from trt.kie.errors import KIEUnavailable, Trouble
from trt.kie.outcomes import (
    Busy,
    Created,
    OutcomeUnknown,
    Refused,
    RefusedResult,
    ResultFile,
    Uploaded,
    Working,
)

KEY = "CANARY-kie-key"
"""A canary, like the prompt: it must turn up in no repr, no exception and no outcome."""
MODEL = ModelId("z-image")
CALLBACK = "https://bot.test/cb/0a1b/CANARY-signature"
PROMPT = "CANARY a lighthouse at night"
PAYLOAD = {"prompt": PROMPT, "aspect_ratio": "16:9"}
TASK = TaskId("366e2065ed94e590a9e1201e1f1e1704")
AMBIGUOUS = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.RemoteProtocolError)
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def kie(wire: Wire) -> AsyncIterator[KIEClient]:
    async with httpx.AsyncClient(transport=wire) as http:
        yield KIEClient(http, "https://api.kie.test", KEY, ["cdn.test", "127.0.0.1"])


def says(code: int, msg: str, data: object = None) -> dict[str, object]:
    return {"code": code, "msg": msg, "data": data}


async def test_an_order_carries_model_input_and_callback(kie: KIEClient, wire: Wire) -> None:
    wire.says(200, says(200, "success", {"taskId": TASK, "recordId": TASK}))
    assert await kie.create_task(MODEL, PAYLOAD, CALLBACK) == Created(task_id=TASK)
    [request] = wire.requests
    assert str(request.url) == "https://api.kie.test/api/v1/jobs/createTask"
    assert request.headers["Authorization"] == "Bearer CANARY-kie-key"
    assert json.loads(request.content) == {
        "model": "z-image",
        "input": PAYLOAD,
        "callBackUrl": CALLBACK,
    }


async def test_an_order_without_a_callback_names_none(kie: KIEClient, wire: Wire) -> None:
    wire.says(200, says(200, "success", {"taskId": TASK}))
    await kie.create_task(MODEL, PAYLOAD, None)
    assert json.loads(wire.requests[0].content) == {"model": "z-image", "input": PAYLOAD}


TOO_FAST = "Your call frequency is too high. Please try again later."
ENDINGS = [
    # The envelopes that were printed stand in printed_bodies.py; these are what else may come.
    (200, says(500, ""), Busy),
    (503, says(503, "no healthy upstream"), Busy),
    (200, says(521, "web server is down"), Busy),
    (504, says(504, "gateway timeout"), OutcomeUnknown),
    (200, says(200, "success", None), OutcomeUnknown),
    (200, says(200, "success", {}), OutcomeUnknown),
    (200, says(403, "forbidden"), Reason.KIE_ACCOUNT),
    (200, says(500, "prompt violates our usage policies"), Reason.KIE_POLICY),
    (200, says(500, "something that nobody has seen"), Reason.KIE_REFUSED),
    (200, says(413, "too long"), Reason.KIE_REFUSED),
    # What only the HTTP status says.
    (429, HTML, Busy),
    (401, HTML, Reason.KIE_ACCOUNT),
    (403, HTML, Reason.KIE_ACCOUNT),
    (301, b"", Reason.KIE_ACCOUNT),
    (404, {"timestamp": 1, "status": 404, "error": "Not Found"}, Reason.KIE_REFUSED),
    (413, HTML, Reason.KIE_REFUSED),
    (408, HTML, OutcomeUnknown),
    (500, HTML, OutcomeUnknown),
    (524, HTML, OutcomeUnknown),
    (502, says(200, "success", None), OutcomeUnknown),
    (200, HTML, OutcomeUnknown),
    (200, {"code": True}, OutcomeUnknown),
]


@pytest.mark.parametrize(("status", "body", "ending"), ENDINGS)
async def test_every_answer_to_an_order_has_its_ending(
    status: int, body: object, ending: Reason | type, kie: KIEClient, wire: Wire
) -> None:
    wire.says(status, body)
    outcome = await kie.create_task(MODEL, PAYLOAD, CALLBACK)
    got = outcome.reason if isinstance(outcome, Refused) else type(outcome)
    assert got == ending


@pytest.mark.parametrize(
    "data", [{"taskId": "t1"}, {"task_id": "t1"}, {"recordId": "t1"}, '{"taskId": "t1"}']
)
async def test_a_task_id_is_believed_wherever_it_stands(
    data: object, kie: KIEClient, wire: Wire
) -> None:
    wire.says(502, says(500, "odd", data))
    assert await kie.create_task(MODEL, PAYLOAD, CALLBACK) == Created(task_id=TaskId("t1"))


async def test_a_busy_answer_passes_on_how_long(kie: KIEClient, wire: Wire) -> None:
    wire.says(429, says(429, TOO_FAST), {"Retry-After": "12"})
    outcome = await kie.create_task(MODEL, PAYLOAD, CALLBACK)
    assert outcome == Busy(trouble=Trouble.RATE, retry_after_s=12.0, detail=TOO_FAST)


@pytest.mark.parametrize("broken", SURELY_NOT_SENT)
async def test_an_order_that_never_left_is_an_exception(
    broken: type[httpx.RequestError], kie: KIEClient, wire: Wire
) -> None:
    wire.breaks(broken)
    with pytest.raises(KIEUnavailable):
        await kie.create_task(MODEL, PAYLOAD, CALLBACK)


@pytest.mark.parametrize("broken", AMBIGUOUS)
async def test_an_order_that_may_have_arrived_is_unknown(
    broken: type[httpx.RequestError], kie: KIEClient, wire: Wire
) -> None:
    wire.breaks(broken)
    assert type(await kie.create_task(MODEL, PAYLOAD, CALLBACK)) is OutcomeUnknown
    with pytest.raises(KIEUnavailable):
        await kie.record(TASK)


async def test_an_order_without_an_answer_is_unknown_after_its_deadline(
    kie: KIEClient, wire: Wire, autojump_clock: trio.testing.MockClock
) -> None:
    async def never(_request: httpx.Request) -> httpx.Response:
        await trio.sleep_forever()
        raise AssertionError

    wire.answer = never
    started = trio.current_time()
    assert type(await kie.create_task(MODEL, PAYLOAD, CALLBACK)) is OutcomeUnknown
    assert trio.current_time() - started == pytest.approx(CREATE_S_MAX)
    assert autojump_clock.autojump_threshold == 0


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, says(500, f"bad\nword in '{PROMPT}' by CANARY-kie-key, see {CALLBACK}")),
        (200, says(402, f"{PROMPT} " * 40)),
        (429, says(429, PROMPT)),
        (200, says(408, PROMPT)),
    ],
)
async def test_key_prompt_and_signature_are_in_no_outcome(
    status: int, body: object, kie: KIEClient, wire: Wire
) -> None:
    wire.says(status, body)
    shown = repr(await kie.create_task(MODEL, PAYLOAD, CALLBACK)) + repr(kie)
    assert "CANARY" not in shown
    assert "***" in shown
    assert len(shown) < 500


@pytest.mark.parametrize("broken", [*SURELY_NOT_SENT, *AMBIGUOUS])
async def test_the_key_is_in_no_exception(
    broken: type[httpx.RequestError], kie: KIEClient, wire: Wire
) -> None:
    wire.breaks(broken)
    shown = []
    for call in (kie.record(TASK), kie.credit_balance(), kie.create_task(MODEL, PAYLOAD, CALLBACK)):
        try:
            shown.append(repr(await call))
        except KIEUnavailable as problem:
            shown += [repr(problem), repr(problem.__cause__), repr(problem.__context__)]
            shown += traceback.format_exception(problem)
    assert "CANARY" not in "".join(shown)


async def test_a_record_is_asked_for_by_task(kie: KIEClient, wire: Wire) -> None:
    wire.says(200, says(200, "success", {"state": "waiting"}))
    assert await kie.record(TASK) == Working(phase=Phase.QUEUED)
    assert wire.requests[0].url.params["taskId"] == TASK


async def test_the_balance_may_have_a_fraction(kie: KIEClient, wire: Wire) -> None:
    wire.says(200, says(200, "success", 5916.25))
    assert await kie.credit_balance() == Decimal("5916.25")
    wire.says(200, says(401, "Unauthorized"))
    with pytest.raises(KIEUnavailable, match="401"):
        await kie.credit_balance()


async def test_states_that_we_do_not_know_are_counted(kie: KIEClient, wire: Wire) -> None:
    for state in ("pondering", "pondering", "waiting", *(f"s{number}" for number in range(30))):
        wire.says(200, says(200, "success", {"state": state}))
        await kie.record(TASK)
    counted = kie.statistics().unknown_states
    assert (counted["pondering"], counted["other"]) == (2, 11)
    assert len(counted) == 21


async def test_an_upload_carries_file_folder_name_and_key(kie: KIEClient, wire: Wire) -> None:
    wire.says(200, {"code": 200, "data": {"downloadUrl": "https://cdn.test/a.png"}})
    assert await kie.upload(PNG, "a.png", "image/png", "in/7") == Uploaded(
        url="https://cdn.test/a.png"
    )
    [request] = wire.requests
    assert str(request.url) == f"{UPLOAD_BASE}/api/file-stream-upload"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    parts = request.content
    assert PNG in parts
    for part in (b'name="uploadPath"\r\n\r\nin/7', b'name="fileName"\r\n\r\na.png'):
        assert part in parts


@pytest.mark.parametrize(
    ("data", "name", "path"),
    [
        (b"", "a", "p"),
        (b"x", "", "p"),
        (b"x", "a/b", "p"),
        (b"x", "a", "/p"),
        (b"x", "a", "p/"),
        (b"x", "a", ""),
    ],
)
async def test_an_upload_that_kie_would_misread_is_our_mistake(
    data: bytes, name: str, path: str, kie: KIEClient, wire: Wire
) -> None:
    with pytest.raises(AssertionError):
        await kie.upload(data, name, "image/png", path)
    assert wire.requests == []


@pytest.mark.parametrize(
    ("broken", "trouble"),
    [
        (httpx.ConnectError, Trouble.NOT_REACHED),
        (httpx.ReadTimeout, Trouble.TIMEOUT),
        (httpx.ReadError, Trouble.OUTAGE),
    ],
)
async def test_what_may_be_asked_twice_is_unavailable_and_says_how(
    broken: type[httpx.RequestError], trouble: Trouble, kie: KIEClient, wire: Wire
) -> None:
    wire.breaks(broken)
    for call in (
        kie.record(TASK),
        kie.credit_balance(),
        kie.upload(PNG, "a.png", "image/png", "in"),
        kie.download_link("https://cdn.test/a.png"),
    ):
        with pytest.raises(KIEUnavailable) as caught:
            await call
        assert caught.value.trouble is trouble
        assert "CANARY" not in "".join(traceback.format_exception(caught.value))


async def test_a_redirected_call_is_not_followed_with_our_key(kie: KIEClient, wire: Wire) -> None:
    wire.says(307, b"", {"Location": "https://evil.test/"})
    with pytest.raises(KIEUnavailable):
        await kie.upload(PNG, "a.png", "image/png", "in")
    await kie.create_task(MODEL, PAYLOAD, CALLBACK)
    assert {request.url.host for request in wire.requests} == {
        "api.kie.test",
        "kieai.redpandaai.co",
    }


async def test_an_endless_answer_is_not_read_to_its_end(kie: KIEClient, wire: Wire) -> None:
    async def endless() -> AsyncIterator[bytes]:  # noqa: ASYNC900 - what httpx wants
        while True:
            yield b" " * 100_000
            await trio.lowlevel.checkpoint()

    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=endless())

    wire.answer = answer
    assert isinstance(await kie.create_task(MODEL, PAYLOAD, CALLBACK), OutcomeUnknown)
    with pytest.raises(KIEUnavailable):
        await kie.record(TASK)


async def test_results_are_asked_for_uncompressed(kie: KIEClient, wire: Wire) -> None:
    wire.says(200, PNG)
    await kie.fetch_result("https://cdn.test/a.png", 1000)
    assert wire.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("page", [HTML, b"<!doctype html>", b'{"code":404}', b""])
async def test_a_page_is_never_a_result(page: bytes, kie: KIEClient, wire: Wire) -> None:
    wire.says(200, page, {"Content-Type": "image/png"})
    refused = await kie.fetch_result("https://cdn.test/a.png", 1000)
    assert refused == RefusedResult(why="not a picture, a video or a sound")


async def test_a_result_is_fetched_without_our_key(kie: KIEClient, wire: Wire) -> None:
    wire.says(200, PNG, {"Content-Type": "application/octet-stream"})
    file = await kie.fetch_result("https://tempfile.cdn.test/k/chatgpt_1.jpg", 1000)
    assert file == ResultFile(name="result.png", content_type="image/png", data=PNG)
    assert "Authorization" not in wire.requests[0].headers
    assert "48 bytes" in repr(file)


async def test_a_host_that_is_not_on_the_list_is_never_asked(kie: KIEClient, wire: Wire) -> None:
    refused = await kie.fetch_result("https://evil.test/a.png", 1000)
    assert refused == RefusedResult(why="host is not on the list")
    assert wire.requests == []


async def test_a_redirect_is_followed_only_to_hosts_on_the_list(kie: KIEClient, wire: Wire) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/there":
            return httpx.Response(200, content=PNG)
        return httpx.Response(302, headers={"Location": request.url.params["to"]})

    wire.answer = answer
    assert type(await kie.fetch_result("https://cdn.test/a?to=/there", 1000)) is ResultFile
    away = await kie.fetch_result("https://cdn.test/a?to=https://evil.test/there", 1000)
    assert away == RefusedResult(why="host is not on the list")
    assert all(request.url.host == "cdn.test" for request in wire.requests)


async def test_a_redirect_in_circles_ends(kie: KIEClient, wire: Wire) -> None:
    wire.says(302, b"", {"Location": "/again"})
    assert await kie.fetch_result("https://cdn.test/a", 9) == RefusedResult(
        why="too many redirects"
    )


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_result_that_is_too_big_is_refused(
    kie: KIEClient, wire: Wire, *, is_announced: bool
) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:  # noqa: ASYNC900 - what httpx wants
        yield PNG[:30]
        yield PNG[30:]

    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=PNG if is_announced else in_pieces())

    wire.answer = answer
    too_big = await kie.fetch_result("https://cdn.test/a", 47)
    assert too_big == RefusedResult(why="bigger than 47 bytes", is_too_big=True)
    assert type(await kie.fetch_result("https://cdn.test/a", 48)) is ResultFile


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_result_that_is_gone_is_refused(status: int, kie: KIEClient, wire: Wire) -> None:
    wire.says(status, b"gone")
    assert await kie.fetch_result("https://cdn.test/a", 99) == RefusedResult(why=f"HTTP {status}")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_host_with_a_bad_moment_is_asked_again(
    status: int, kie: KIEClient, wire: Wire
) -> None:
    wire.says(status, HTML)
    with pytest.raises(KIEUnavailable):
        await kie.fetch_result("https://cdn.test/a", 99)
