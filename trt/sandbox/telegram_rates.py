"""How fast a bot may send: Telegram's limits, as switches."""

import math

import trio
from attrs import define, frozen

from trt.sandbox.telegram_refusal import Refused


@frozen(kw_only=True)
class Limits:
    """Telegram's numbers (Bots FAQ, "My bot is hitting limits"); edits count as sends."""

    is_rate_limited: bool = True
    chat_per_s: float = 1.0
    chat_burst: int = 5
    """The FAQ tolerates short bursts and gives no number; this is a cautious guess."""
    all_per_s: float = 30.0
    callback_answer_s: float = 15.0
    """How late a tap may be answered: not documented, 10 to 20 s in practice."""
    pre_checkout_answer_s: float = 10.0
    """Bot API, answerPreCheckoutQuery."""
    webhook_timeout_s: float = 60.0
    set_webhook_interval_s: float = 1.0


REAL_LIMITS = Limits()
NO_LIMITS = Limits(is_rate_limited=False)


@define
class _Bucket:
    per_s: float
    size: float
    level: float
    filled_at: float

    def wait_s(self, now: float) -> float:
        """Return how long until one more fits: 0 is now."""
        self.level = min(self.size, self.level + (now - self.filled_at) * self.per_s)
        self.filled_at = now
        # A full refill may miss 1 by a rounding error.
        return max(0.0, (1 - self.level) / self.per_s - 1e-9)


class Rates:
    """Counts what is sent, per chat and overall."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._all: _Bucket | None = None
        self._chats: dict[int, _Bucket] = {}

    def count(self, chat_id: int) -> None:
        """Count one message or edit in a chat.

        Raises:
            Refused: 429 with the seconds to wait; then nothing is counted.
        """
        if not self._limits.is_rate_limited:
            return
        now = trio.current_time()
        limits = self._limits
        if self._all is None:
            self._all = _Bucket(limits.all_per_s, limits.all_per_s, limits.all_per_s, now)
        if chat_id not in self._chats:
            burst = float(limits.chat_burst)
            self._chats[chat_id] = _Bucket(limits.chat_per_s, burst, burst, now)
        chat = self._chats[chat_id]
        wait_s = max(chat.wait_s(now), self._all.wait_s(now))
        if wait_s > 0:
            raise too_many(math.ceil(wait_s))
        chat.level -= 1
        self._all.level -= 1


def too_many(retry_after_s: int) -> Refused:
    """Return the 429 that asks to wait."""
    return Refused(
        429, f"Too Many Requests: retry after {retry_after_s}", retry_after_s=retry_after_s
    )
