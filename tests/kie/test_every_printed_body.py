"""KIE answers with every body that was ever printed; each has its outcome, and nothing raises."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import httpx
import pytest

from tests.kie.printed_bodies import CDN, TASK
from tests.kie.printed_files import CALLBACK, CATALOGUE, CREDIT, LINK, UPLOAD
from tests.kie.printed_orders import CREATE
from tests.kie.printed_records import RECORD
from tests.wire import Wire
from trt.domain.ids import ModelId, TaskId
from trt.domain.reasons import Reason
from trt.kie.callbacks import parse_callback
from trt.kie.client import KIEClient
from trt.kie.errors import KIEUnavailable, Trouble
from trt.kie.outcomes import (
    Busy,
    Created,
    NotFound,
    OutcomeUnknown,
    Refused,
    RefusedResult,
    UploadRefused,
)

HOSTS = ["aiquickdraw.com", "redpandaai.co"]


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def kie(wire: Wire) -> AsyncIterator[KIEClient]:
    async with httpx.AsyncClient(transport=wire) as http:
        yield KIEClient(http, "https://api.kie.ai", "CANARY-key", HOSTS)


async def told(call: Awaitable[object]) -> object:
    """Return the outcome, or the trouble of the only exception that is allowed."""
    try:
        return await call
    except KIEUnavailable as unavailable:
        return unavailable.trouble


def names(rows: list[Any]) -> list[str]:
    return [row[0] for row in rows]


@pytest.mark.parametrize("row", CREATE, ids=names(CREATE))
async def test_every_answer_to_createtask(row: Any, kie: KIEClient, wire: Wire) -> None:
    _, status, body, kind, why, may_be_charged, may_be_repeated = row
    wire.says(status, body.encode())
    outcome = await kie.create_task(ModelId("m"), {"prompt": "A lighthouse"}, None)
    assert type(outcome) is kind
    assert (outcome.may_be_charged, outcome.may_be_repeated) == (may_be_charged, may_be_repeated)
    match outcome:
        case Refused(reason=reason):
            assert reason is why
        case Busy(trouble=trouble):
            assert trouble is why
        case Created() | OutcomeUnknown():
            assert why is None


@pytest.mark.parametrize("row", RECORD, ids=names(RECORD))
async def test_every_answer_to_recordinfo(row: Any, kie: KIEClient, wire: Wire) -> None:
    _, status, body, outcome = row
    wire.says(status, body.encode())
    assert await told(kie.record(TaskId(TASK))) == outcome


@pytest.mark.parametrize("row", CALLBACK, ids=names(CALLBACK))
def test_every_callback(row: Any) -> None:
    _, body = row
    assert parse_callback(body.encode()) == TASK


@pytest.mark.parametrize("row", UPLOAD, ids=names(UPLOAD))
async def test_every_answer_to_an_upload(row: Any, kie: KIEClient, wire: Wire) -> None:
    _, status, body, outcome = row
    wire.says(status, body.encode())
    assert await told(kie.upload(b"PNG", "a.png", "image/png", "images")) == outcome


@pytest.mark.parametrize("row", LINK, ids=names(LINK))
async def test_every_answer_to_download_url(row: Any, kie: KIEClient, wire: Wire) -> None:
    _, status, body, outcome = row
    wire.says(status, body.encode())
    assert await told(kie.download_link(f"{CDN}/a.png")) == outcome


@pytest.mark.parametrize("row", CREDIT, ids=names(CREDIT))
async def test_every_answer_to_credit(row: Any, kie: KIEClient, wire: Wire) -> None:
    _, status, body, outcome = row
    wire.says(status, body.encode())
    assert await told(kie.credit_balance()) == outcome


NO_ANSWER = [OutcomeUnknown, *[Trouble.UNREADABLE] * 4]
NO_SUCH_THING = [Refused, NotFound, UploadRefused, RefusedResult, Trouble.UNREADABLE]


@pytest.mark.parametrize(("status", "body"), CATALOGUE)
async def test_the_catalogue_is_taken_for_no_task_no_file_and_no_money(
    status: int, body: str, kie: KIEClient, wire: Wire
) -> None:
    wire.says(status, body.encode())
    outcomes = [
        await told(kie.create_task(ModelId("m"), {}, None)),
        await told(kie.record(TaskId(TASK))),
        await told(kie.upload(b"PNG", "a.png", "image/png", "images")),
        await told(kie.download_link(f"{CDN}/a.png")),
        await told(kie.credit_balance()),
    ]
    kinds = [one if isinstance(one, Trouble) else type(one) for one in outcomes]
    assert kinds == (NO_ANSWER if status == httpx.codes.OK else NO_SUCH_THING)
    assert parse_callback(body.encode()) is None


ALL = (
    CATALOGUE
    + [
        (status, body)
        for rows in (CREATE, RECORD, UPLOAD, LINK, CREDIT)
        for _, status, body, *_ in rows
    ]
    + [(200, body) for _, body in CALLBACK]
)


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500, 502])
async def test_any_body_at_the_wrong_call_raises_nothing_else(
    status: int, kie: KIEClient, wire: Wire
) -> None:
    for _, body in ALL:
        wire.says(status, body.encode())
        for call in (
            kie.create_task(ModelId("m"), {}, None),
            kie.record(TaskId(TASK)),
            kie.upload(b"PNG", "a.png", "image/png", "images"),
            kie.download_link(CDN),
            kie.credit_balance(),
        ):
            await told(call)
        parse_callback(body.encode())


def test_every_reason_and_trouble_of_the_client_is_printed_somewhere() -> None:
    seen = {row[4] for row in CREATE} | {
        row[3] for row in (*RECORD, *UPLOAD, *CREDIT) if row[3].__hash__
    }
    reasons = {
        Reason.KIE_REFUSED,
        Reason.KIE_POLICY,
        Reason.KIE_MODEL_GONE,
        Reason.KIE_ACCOUNT,
        Reason.KIE_NO_CREDITS,
    }
    local = {Trouble.NOT_REACHED, Trouble.CIRCUIT_OPEN}
    assert reasons | (set(Trouble) - local) <= seen
