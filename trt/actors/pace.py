"""How fast we may send: a pure rate limiter per chat and for the whole bot (GCRA)."""

from attrs import define, frozen

from trt.domain.ids import ChatId


@frozen(kw_only=True)
class Rate:
    """At most `burst` at once, then one each `interval_s`."""

    interval_s: float
    burst: int

    def shared(self, among: int) -> "Rate":
        """Return the share of each when `among` of them send at once without asking each other."""
        return Rate(interval_s=self.interval_s * among, burst=max(1, self.burst // among))


CHAT_RATE = Rate(interval_s=1.0, burst=5)
"""Bots FAQ: about one message per second in a chat, short bursts tolerated; edits count too."""
BOT_RATE = Rate(interval_s=1 / 28, burst=25)
"""Bots FAQ: about thirty messages per second over all chats; two are left for answers."""


@define
class _Meter:
    """When the next one would be due if they came evenly ("theoretical arrival time")."""

    due_s: float = 0.0

    def wait_s(self, rate: Rate, now_s: float) -> float:
        return max(0.0, self.due_s - (rate.burst - 1) * rate.interval_s - now_s)

    def take(self, rate: Rate, now_s: float) -> None:
        self.due_s = max(self.due_s, now_s) + rate.interval_s


class Pace:
    """Says how long to wait before the next send to a chat; a 429 freezes that chat alone."""

    def __init__(self, *, chat: Rate = CHAT_RATE, bot: Rate = BOT_RATE) -> None:
        self._chat_rate, self._bot_rate = chat, bot
        self._bot = _Meter()
        self._chats: dict[ChatId, _Meter] = {}
        self._frozen_until_s: dict[ChatId, float] = {}

    def begin(self, now_s: float) -> None:
        """Begin without a burst: the sender before us may just have had it."""
        self._bot.due_s = now_s + (self._bot_rate.burst - 1) * self._bot_rate.interval_s

    def chat_wait_s(self, chat_id: ChatId, now_s: float) -> float:
        """Return the seconds until `chat_id` may get its next message; 0.0 means now."""
        chat = self._chats.get(chat_id, _IDLE)
        return max(
            self._frozen_until_s.get(chat_id, now_s) - now_s,
            chat.wait_s(self._chat_rate, now_s),
        )

    def bot_wait_s(self, now_s: float) -> float:
        """Return the seconds until the bot may send its next message to anybody; 0.0 means now."""
        return self._bot.wait_s(self._bot_rate, now_s)

    def take(self, chat_id: ChatId, now_s: float) -> None:
        """Count one send."""
        self._chats.setdefault(chat_id, _Meter()).take(self._chat_rate, now_s)
        self._bot.take(self._bot_rate, now_s)

    def freeze(self, chat_id: ChatId, seconds: float, now_s: float) -> None:
        """Send nothing to `chat_id` for `seconds` (Telegram's retry_after)."""
        self._frozen_until_s[chat_id] = now_s + seconds

    def forget_idle(self, now_s: float) -> None:
        """Drop what no longer holds anybody up, so that memory is bounded by the chats at work."""
        self._chats = {chat: meter for chat, meter in self._chats.items() if meter.due_s > now_s}
        self._frozen_until_s = {
            chat: until_s for chat, until_s in self._frozen_until_s.items() if until_s > now_s
        }

    def __len__(self) -> int:
        """Return how many chats are remembered."""
        return len(self._chats.keys() | self._frozen_until_s.keys())


_IDLE = _Meter()
