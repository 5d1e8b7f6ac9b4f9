"""A lane keeps the order of its chat; of two screens of one slot only the newer is sent."""

from datetime import UTC, datetime

from trt.actors.delivery_lane import Lane, slot_of
from trt.domain.ids import ChatId, Cid, MessageId
from trt.domain.replies import Screen, ScreenId, ShowScreen
from trt.storage.outbox import OutboxId, OutboxRow


def _row(
    number: int, slot: str | None = None, message_id: int | None = None, *, ambiguous: int = 0
) -> OutboxRow:
    screen = Screen(screen_id=ScreenId.NOTICE, text=str(number))
    return OutboxRow(
        outbox_id=OutboxId(number),
        chat_id=ChatId(1),
        reply=ShowScreen(screen=screen, slot=slot),
        cid=Cid("c"),
        job_id=None,
        created_at=datetime(2026, 11, 21, tzinfo=UTC),
        attempts=0,
        attempts_ambiguous=ambiguous,
        slot_message_id=None if message_id is None else MessageId(message_id),
    )


def _drain(lane: Lane) -> list[int]:
    numbers: list[int] = []
    while (row := lane.next()) is not None:
        numbers.append(row.outbox_id)
    return numbers


def test_rows_come_out_in_order() -> None:
    lane = Lane(ChatId(1))
    for number in (1, 2, 3):
        assert lane.add(_row(number)) is None
    assert _drain(lane) == [1, 2, 3]


def test_a_newer_screen_of_a_slot_pushes_the_unsent_one_out() -> None:
    lane = Lane(ChatId(1))
    old, other, new = _row(1, "job:1"), _row(2, "job:2"), _row(3, "job:1")
    lane.add(old)
    lane.add(other)
    assert lane.add(new) is old
    assert _drain(lane) == [2, 3]


def test_a_row_that_was_not_sent_is_the_first_again() -> None:
    lane = Lane(ChatId(1))
    lane.add(_row(1))
    lane.add(_row(2))
    first = lane.next()
    assert first is not None
    lane.put_back(first)
    assert _drain(lane) == [1, 2]


def test_a_row_is_outdated_when_a_newer_one_of_its_slot_waits() -> None:
    lane = Lane(ChatId(1))
    taken = _row(1, "job:1")
    lane.add(_row(2, "job:1"))
    assert lane.is_outdated(taken)
    assert not lane.is_outdated(_row(3, "job:9"))
    assert not lane.is_outdated(_row(4))


def test_a_slot_is_edited_where_it_was_sent_last() -> None:
    lane = Lane(ChatId(1))
    row = _row(1, "job:1")
    assert lane.target(row) is None
    lane.arrived(row, MessageId(50))
    assert lane.target(_row(2, "job:1")) == 50
    assert lane.target(_row(3)) is None
    lane.arrived(row, None)
    assert lane.target(row) == 50


def test_what_the_lane_sent_itself_is_newer_than_what_the_claim_knew() -> None:
    lane = Lane(ChatId(1))
    lane.add(_row(1, "job:1", message_id=40))
    assert lane.target(_row(2, "job:1")) == 40
    lane.arrived(_row(1, "job:1"), MessageId(50))
    lane.add(_row(3, "job:1", message_id=40))
    assert lane.target(_row(3, "job:1")) == 50


def test_doubts_are_counted_for_each_row() -> None:
    lane = Lane(ChatId(1))
    assert [lane.doubt(_row(1)), lane.doubt(_row(1)), lane.doubt(_row(2))] == [1, 2, 1]
    assert lane.doubt(_row(3, ambiguous=4)) == 5  # those of an earlier life count too
    assert slot_of(_row(1, "s")) == "s"
