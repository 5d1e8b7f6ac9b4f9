"""The pace: bursts, then one by one; a freeze holds one chat; what is over is forgotten."""

import pytest

from trt.actors.pace import Pace, Rate
from trt.domain.ids import ChatId

ANNA, BORIS = ChatId(1), ChatId(2)
FREE = Rate(interval_s=0.0, burst=1)


def test_a_chat_gets_its_burst_at_once_and_then_one_per_interval() -> None:
    pace = Pace(chat=Rate(interval_s=1.0, burst=3), bot=FREE)
    sent_at = _send(pace, 6)
    assert sent_at == pytest.approx([100, 100, 100, 101, 102, 103])


def test_a_quiet_time_gives_the_burst_back() -> None:
    pace = Pace(chat=Rate(interval_s=1.0, burst=3), bot=FREE)
    _send(pace, 3)
    assert _wait_s(pace, ANNA, 100.0) == pytest.approx(1.0)
    assert _wait_s(pace, ANNA, 101.0) == 0.0
    assert _send(pace, 3, begin_s=110.0) == pytest.approx([110, 110, 110])


def test_the_bot_as_a_whole_keeps_its_rate_over_all_chats() -> None:
    pace = Pace(chat=Rate(interval_s=1.0, burst=3), bot=Rate(interval_s=0.1, burst=2))
    now_s, sent_at = 100.0, []
    for chat in range(5):
        now_s += _wait_s(pace, ChatId(chat), now_s)
        pace.take(ChatId(chat), now_s)
        sent_at.append(now_s)
    assert sent_at == pytest.approx([100, 100, 100.1, 100.2, 100.3])


def test_a_freeze_holds_one_chat_only() -> None:
    pace = Pace()
    pace.freeze(ANNA, 30.0, 100.0)
    assert _wait_s(pace, ANNA, 110.0) == pytest.approx(20.0)
    assert _wait_s(pace, BORIS, 110.0) == 0.0
    assert _wait_s(pace, ANNA, 131.0) == 0.0


def test_forgetting_too_early_gives_no_fresh_burst_and_no_thaw() -> None:
    pace = Pace(chat=Rate(interval_s=1.0, burst=3), bot=FREE)
    _send(pace, 3)
    pace.forget_idle(100.0)
    assert _wait_s(pace, ANNA, 100.0) > 0
    pace.freeze(BORIS, 30.0, 100.0)
    pace.forget_idle(101.0)
    assert _wait_s(pace, BORIS, 101.0) == pytest.approx(29.0)


def test_what_no_longer_matters_is_forgotten() -> None:
    pace = Pace()
    for number in range(100):
        pace.take(ChatId(number), 100.0)
        pace.freeze(ChatId(number), 1.0, 100.0)
    assert len(pace) == 100
    pace.forget_idle(200.0)
    assert len(pace) == 0


def _wait_s(pace: Pace, chat_id: ChatId, now_s: float) -> float:
    return max(pace.chat_wait_s(chat_id, now_s), pace.bot_wait_s(now_s))


def _send(pace: Pace, count: int, begin_s: float = 100.0) -> list[float]:
    now_s, sent_at = begin_s, []
    for _ in range(count):
        now_s += _wait_s(pace, ANNA, now_s)
        pace.take(ANNA, now_s)
        sent_at.append(now_s)
    return sent_at
