"""The door, the ingress channel, the lease's terms and how the timings fit together."""

from datetime import UTC, datetime

import pytest
import trio

from trt.actors.dispatcher import SWEEP_EVERY_S, SWEEP_PAUSE_S
from trt.actors.door import Door, DoorClosed
from trt.actors.held import Held
from trt.actors.in_hand import ANSWER_WITHIN_S
from trt.actors.ingress_channel import IngressChannel
from trt.actors.lease_terms import LeaseTerms
from trt.actors.passive_responder import GRACE_S, LOOK_EVERY_S, TAP_LEFT_S
from trt.domain.ids import BotId, ChatId, Cid, Shard, UpdateId, UserId
from trt.storage.inbox import InboxRow


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
    assert TAP_LEFT_S + LOOK_EVERY_S <= 0.5  # half of it is left for the call
    assert GRACE_S + LOOK_EVERY_S <= 0.5
    assert ANSWER_WITHIN_S <= 0.5
    terms = LeaseTerms()
    assert terms.look_every_s <= 0.05  # a planned handover that nobody tells of
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
