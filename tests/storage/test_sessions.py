"""A conversation is remembered as it was."""

from attrs import evolve

from tests.storage.samples import CHAT, EPOCH, NOW, SHARD, USER
from trt.domain.ids import DraftId, ModelId, UserId
from trt.domain.replies import ScreenId
from trt.domain.session import Draft, Session
from trt.storage import sessions
from trt.storage.database import Transaction

FRESH = Session(user_id=USER, chat_id=CHAT, language="ru")
ORDERING = evolve(
    FRESH,
    language="en",
    screen_id=ScreenId.PARAMS_FORM,
    draft=Draft(
        draft_id=DraftId("0badcafe"),
        model_id=ModelId("flux/dev"),
        values={"prompt": "кот «в сапогах»", "count": 1, "scale": 1.0, "is_raw": False},
        asking="size",
    ),
    last_draft_id=DraftId("00000001"),
)


def test_nobody_knows_a_stranger(tx: Transaction) -> None:
    assert sessions.load(tx, USER) is None


def test_the_last_one_saved_is_loaded(tx: Transaction) -> None:
    for session in (FRESH, ORDERING, FRESH):
        sessions.save(tx, session, shard=SHARD, epoch=EPOCH, now=NOW)
        assert sessions.load(tx, USER) == session
    assert sessions.load(tx, UserId(2)) is None


def test_the_values_of_a_draft_keep_their_types(tx: Transaction) -> None:
    sessions.save(tx, ORDERING, shard=SHARD, epoch=EPOCH, now=NOW)
    loaded = sessions.load(tx, USER)
    assert isinstance(loaded, Session)
    assert loaded.draft is not None
    assert [type(value) for value in loaded.draft.values.values()] == [str, int, float, bool]
