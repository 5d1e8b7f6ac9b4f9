"""InHand: an update is taken once, and the one that a session crashes on has a name."""

from datetime import UTC, datetime, timedelta

import pytest
import trio
from attrs import evolve

from trt.actors.callback_clock import TapOpened
from trt.actors.in_hand import FINISHED_KEPT, InHand, SpinnerParts
from trt.actors.open_taps import OpenTaps
from trt.domain.ids import BotId, CallbackId, ChatId, Cid, Shard, UpdateId, UserId
from trt.storage.inbox import InboxRow
from trt.supervision import Mailbox
from trt.telemetry.events import Event, EventName
from trt.telemetry.stream import EventStream
from trt.testing.virtual_time import BEGINNING, VirtualSources


def board() -> tuple[InHand, OpenTaps, list[Event]]:
    told: list[Event] = []
    sources, taps = VirtualSources(0), OpenTaps()
    parts = SpinnerParts(
        sources=sources,
        events=EventStream(sources, (told.append,)),
        clock=Mailbox[TapOpened]("clock", 4).ref,
        taps=taps,
    )
    return InHand(parts), taps, told


def row(number: int) -> InboxRow:
    return InboxRow(
        bot_id=BotId(1),
        update_id=UpdateId(number),
        user_id=UserId(1),
        chat_id=ChatId(1),
        kind="message",
        callback_id=None,
        cid=Cid("c"),
        payload=b"{}",
        received_at=datetime(2026, 11, 21, tzinfo=UTC),
        shard=Shard(0),
    )


def test_nobody_takes_what_another_has_or_has_just_finished() -> None:
    in_hand, _, _ = board()
    assert in_hand.take(row(1))
    assert not in_hand.take(row(1))
    in_hand.finish(UpdateId(1))
    assert not in_hand.take(row(1))  # a sweep read it before its commit
    in_hand.take(row(2))
    in_hand.drop(UpdateId(2))
    assert in_hand.take(row(2))


def test_what_finished_long_ago_is_forgotten() -> None:
    in_hand, _, _ = board()
    for number in range(FINISHED_KEPT + 1):
        in_hand.finish(UpdateId(number))
    assert in_hand.take(row(0))
    assert not in_hand.take(row(1))


def test_who_crashes_on_an_earlier_update_gives_up_that_one() -> None:
    in_hand, _, _ = board()
    early, told = row(1), row(2)
    in_hand.take(told)
    in_hand.turn_to(told, early)
    assert not in_hand.take(early)
    assert in_hand.give_up(told) is early
    assert not in_hand.take(told)  # it waits until the other one has ended
    in_hand.finish(early.update_id)
    assert in_hand.take(told)


def test_who_has_come_back_to_its_own_update_gives_up_that_one() -> None:
    in_hand, _, _ = board()
    early, told = row(1), row(2)
    in_hand.take(told)
    in_hand.turn_to(told, early)
    in_hand.finish(early.update_id)
    in_hand.turn_to(told, told)
    assert in_hand.give_up(told) is told


def test_what_a_stopped_session_was_about_is_free_again() -> None:
    in_hand, _, _ = board()
    early, told = row(1), row(2)
    in_hand.take(told)
    in_hand.turn_to(told, early)
    in_hand.abandon(told)
    assert in_hand.take(early)
    assert in_hand.take(told)


async def test_a_tap_is_watched_from_first_sight_unless_its_spinner_is_long_gone() -> None:
    in_hand, taps, told = board()
    fresh = evolve(row(1), callback_id=CallbackId("fresh"), received_at=BEGINNING)
    old = evolve(
        row(2), callback_id=CallbackId("old"), received_at=BEGINNING - timedelta(seconds=150)
    )
    for each in (fresh, old, fresh):
        in_hand.take(each)
    assert [event.name for event in told] == [EventName.CALLBACK_RECEIVED] * 2
    assert [late.answer.callback_id for late in taps.overdue(1e9)] == [CallbackId("fresh")]


@pytest.mark.parametrize(("age_s", "left_s"), [(0.0, 0.25), (0.2, 0.05), (0.9, 0.0), (5.0, 0.25)])
async def test_a_tap_is_answered_within_its_second_and_one_of_before_with_its_words(
    age_s: float, left_s: float, mock_clock: trio.testing.MockClock
) -> None:
    in_hand, taps, _ = board()
    tapped_at = BEGINNING - timedelta(seconds=age_s)
    in_hand.take(evolve(row(1), callback_id=CallbackId("tap"), received_at=tapped_at))
    assert taps.next_due_s() == pytest.approx(trio.current_time() + left_s)


def test_a_suspect_is_counted_once_until_it_ends() -> None:
    in_hand, _, _ = board()
    suspect = evolve(row(1), attempts=1)
    assert not in_hand.is_uncounted(row(1))
    assert in_hand.is_uncounted(suspect)
    in_hand.count(suspect)
    in_hand.drop(suspect.update_id)  # its session crashed, and the sweep has read it again
    assert not in_hand.is_uncounted(evolve(suspect, attempts=2))
    in_hand.finish(suspect.update_id)
    assert in_hand.is_uncounted(suspect)
