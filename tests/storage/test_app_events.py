"""The diary answers by correlation id."""

from tests.storage.samples import CHAT, CID, NOW, USER, later
from trt.domain.ids import Cid, JobId, ModelId, UpdateId
from trt.storage import app_events
from trt.storage.app_events import AppEvent
from trt.storage.database import Transaction

TAPPED = AppEvent(
    at=NOW,
    level="info",
    event="session.turn_completed",
    cid=CID,
    user_id=USER,
    chat_id=CHAT,
    update_id=UpdateId(3),
    job_id=JobId("j"),
    model_id=ModelId("flux/dev"),
    payload={"screen": "CONFIRM", "duration_s": 0.5, "tags": ["a"], "nested": {"n": 1}},
)
BARE = AppEvent(at=later(5), level="error", event="app.started")


def test_what_happened_under_a_cid_comes_back_in_order(tx: Transaction) -> None:
    second = AppEvent(at=later(-1), level="info", event="outbox.sent", cid=CID)
    other = AppEvent(at=NOW, level="info", event="outbox.sent", cid=Cid("ffffffff"))
    app_events.insert(tx, [TAPPED, BARE, other])
    app_events.insert(tx, [second])
    assert app_events.of_cid(tx, CID) == [TAPPED, second]


def test_pruning_forgets_what_is_older(tx: Transaction) -> None:
    app_events.insert(tx, [TAPPED, BARE])
    assert app_events.prune(tx, before=later(1), limit=9) == 1
    assert app_events.of_cid(tx, CID) == []
    assert app_events.prune(tx, before=later(10), limit=9) == 1


def test_pruning_goes_in_slices_oldest_first(tx: Transaction) -> None:
    events = [AppEvent(at=later(-n), level="info", event=f"e{n}", cid=CID) for n in range(5)]
    app_events.insert(tx, events)
    assert app_events.prune(tx, before=later(1), limit=3) == 3
    assert [event.event for event in app_events.of_cid(tx, CID)] == ["e0", "e1"]
