"""Open taps, the door, the ingress channel, the lease's terms and how the timings fit together."""

from datetime import UTC, datetime

import pytest
import trio

from trt.actors.callback_clock import ANSWER_WITHIN_S
from trt.actors.dispatcher import SWEEP_EVERY_S, SWEEP_PAUSE_S
from trt.actors.door import Door, DoorClosed
from trt.actors.held import Held
from trt.actors.ingress_channel import IngressChannel
from trt.actors.lease_terms import LeaseTerms
from trt.actors.open_taps import ANSWERED_KEPT, OpenTaps
from trt.actors.passive_responder import GRACE_S
from trt.domain.ids import BotId, CallbackId, ChatId, Cid, Shard, UpdateId, UserId
from trt.storage.inbox import InboxRow

A, B, C = CallbackId("a"), CallbackId("b"), CallbackId("c")


def _taps() -> OpenTaps:
    taps = OpenTaps()
    for due_s, callback_id in ((1.0, A), (2.0, B), (3.0, C)):
        taps.open(callback_id, due_s=due_s, cid=Cid("c"), user_id=UserId(1))
    return taps


def test_only_late_taps_are_overdue_and_each_once() -> None:
    taps = _taps()
    assert taps.next_due_s() == 1.0
    assert [late[0] for late in taps.overdue(2.0)] == [A, B]
    assert taps.overdue(2.0) == []
    assert taps.next_due_s() == 3.0


def test_a_tap_that_was_taken_is_nobodys_any_more() -> None:
    taps = _taps()
    taps.take(A)
    taps.take(CallbackId("never seen"))
    assert [late[0] for late in taps.overdue(9.0)] == [B, C]
    assert taps.next_due_s() is None


def test_a_tap_seen_twice_keeps_its_first_due_time() -> None:
    taps = _taps()
    taps.open(A, due_s=9.0, cid=Cid("c"), user_id=UserId(1))
    assert [late[0] for late in taps.overdue(1.0)] == [A]


def test_a_tap_that_was_answered_is_nobodys_before_and_after() -> None:
    taps = _taps()
    for answered in (A, CallbackId("while passive")):
        taps.note_answered(answered)
        assert taps.is_answered(answered)
        taps.open(answered, due_s=0.0, cid=Cid("c"), user_id=UserId(1))
    assert [late[0] for late in taps.overdue(9.0)] == [B, C]
    assert not taps.is_answered(B)


def test_what_is_remembered_of_answers_is_bounded() -> None:
    taps = OpenTaps()
    for number in range(ANSWERED_KEPT + 1):
        taps.note_answered(CallbackId(str(number)))
    assert not taps.is_answered(CallbackId("0"))
    assert taps.is_answered(CallbackId("1"))


def test_a_door_that_nobody_runs_is_closed() -> None:
    door = Door()
    assert not door.is_open
    with pytest.raises(DoorClosed), door.enter():
        pass


def test_the_lease_terms_refuse_what_cannot_work() -> None:
    LeaseTerms()
    with pytest.raises(AssertionError, match="two instances act at once"):
        LeaseTerms(trust_s=2.5)
    with pytest.raises(AssertionError, match="two instances act at once"):
        LeaseTerms(trust_s=1.7)  # 0.3 s are not enough to stop
    with pytest.raises(AssertionError, match="one lost renewal"):
        LeaseTerms(renew_every_s=0.8)
    with pytest.raises(AssertionError, match="a crash goes unnoticed"):
        LeaseTerms(look_every_s=2.0)
    LeaseTerms(trust_s=1.6)


def test_the_timings_of_a_tap_fit_into_its_second() -> None:
    assert SWEEP_PAUSE_S < SWEEP_EVERY_S < GRACE_S  # the active instance sees it before the toast
    assert GRACE_S < 1.0
    assert ANSWER_WITHIN_S < 1.0
    terms = LeaseTerms()
    assert terms.look_every_s <= 0.3  # a planned handover
    assert terms.ttl_s + terms.look_every_s < 3.0  # a hang


async def test_a_held_lease_is_lost_when_its_trust_runs_out(
    autojump_clock: trio.testing.MockClock,
) -> None:
    held = Held(epoch=1, trusted_until=trio.current_time() + 1.5, takeover=None, stop_lost_s=0.4)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(held.wait_lost)
        await trio.sleep(1.0)
        held.renewed(trio.current_time() + 1.5)
    assert trio.current_time() - began == pytest.approx(2.5)
    assert held.why_lost == "not renewed in time"


async def test_a_lease_that_is_lost_is_known_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    held = Held(epoch=1, trusted_until=trio.current_time() + 100, takeover=None, stop_lost_s=0.4)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(held.wait_lost)
        await trio.sleep(1.0)
        held.lose("taken")
        held.lose("and again")
    assert held.why_lost == "taken"


async def test_what_waits_in_the_channel_survives_the_change_of_its_holder() -> None:
    channel = IngressChannel(2)
    with channel.receiver_for("passive_responder") as updates:
        await channel.send(_row(1))
        await channel.send(_row(2))
        assert (await updates.receive()).update_id == 1
    assert channel.statistics().receiver is None
    assert channel.statistics().depth == 1
    with channel.receiver_for("dispatcher") as updates:
        assert channel.statistics().receiver == "dispatcher"
        assert (await updates.receive()).update_id == 2
    assert channel.statistics().sent == 2


async def test_nobody_holds_the_receiver_beside_its_holder() -> None:
    channel = IngressChannel(2)
    with (
        channel.receiver_for("dispatcher"),
        pytest.raises(AssertionError, match="dispatcher holds"),
        channel.receiver_for("passive_responder"),
    ):
        pass


async def test_a_full_channel_makes_its_sender_wait(
    autojump_clock: trio.testing.MockClock,
) -> None:
    channel = IngressChannel(1)
    await channel.send(_row(1))
    with trio.move_on_after(5) as scope:
        await channel.send(_row(2))
    assert scope.cancelled_caught
    assert channel.statistics().sent == 1


def _row(number: int) -> InboxRow:
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
