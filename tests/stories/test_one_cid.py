"""One correlation id follows a tap through everything that it caused."""

import json
from collections.abc import Iterable

from tests.conftest import LogOfTest
from tests.stories import kit
from trt.domain.ids import Cid
from trt.testing.world import World

STORY = {
    "UPDATE_RECEIVED",
    "CALLBACK_RECEIVED",
    "CALLBACK_ROUTED",
    "CALLBACK_ACCEPTED",
    "UI_RENDER",
    "TASK_CREATED",
    "KIE_SUBMIT",
    "KIE_POLL",
    "KIE_CALLBACK",
    "KIE_FETCH",
    "TASK_STATE",
    "TASK_COMPLETED",
    "LEDGER_TRANSFER",
    "ANSWER_CALLBACK_QUERY",
    "MESSAGE_SENT",
}


@kit.SEEDS
def test_one_cid_tells_the_whole_story(seed: int, log: LogOfTest) -> None:
    cids: list[Cid] = []

    async def story(w: World) -> None:
        anna = w.telegram.user()
        tap = await kit.orders_picture(anna)
        await w.settled(120)
        cid = (await kit.only_job(w, anna)).cid
        cids.append(cid)
        stored = await w.trace(cid)
        assert {event.event for event in stored} >= STORY
        kinds = _kinds(event.payload.get("kind") for event in stored)
        assert kinds == {"reserve", "capture"}
        _assert_in_order([event.event for event in stored])
        [[inbox_cid]] = await w.rows("SELECT cid FROM inbox WHERE update_id = :i", i=tap.update_id)
        assert inbox_cid == cid
        transfers = await w.rows("SELECT kind FROM transfers WHERE cid = :cid", cid=cid)
        assert len(transfers) == 2
        outbox = await w.rows("SELECT kind, state FROM outbox WHERE cid = :cid", cid=cid)
        assert {kind for kind, _ in outbox} == {"show_screen", "answer_callback", "send_result"}
        # What another tap caused does not bear this one's id.
        [[others]] = await w.rows("SELECT count(*) FROM outbox WHERE cid <> :cid", cid=cid)
        assert others > 0
        assert len([one for one in stored if one.event == "UPDATE_RECEIVED"]) == 1

    kit.tell(story, seed)
    [cid] = cids
    lines = [line for line in log.lines() if line.get("cid") == cid]
    assert {str(line["event"]) for line in lines} >= STORY
    assert json.dumps(lines).count(cid) >= len(lines)


def _kinds(kinds: Iterable[object]) -> set[object]:
    return {kind for kind in kinds if kind in {"reserve", "capture", "release"}}


def _assert_in_order(names: list[str]) -> None:
    milestones = [
        "UPDATE_RECEIVED",
        "CALLBACK_RECEIVED",
        "TASK_CREATED",
        "KIE_SUBMIT",
        "KIE_CALLBACK",
        "TASK_COMPLETED",
    ]
    at = [names.index(name) for name in milestones]
    assert at == sorted(at), names
