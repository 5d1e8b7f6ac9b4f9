"""The people of `trt bench chaos`: each is new, orders one picture, and waits for it."""

from collections.abc import Callable, Iterable

import trio
from attrs import define, field

from trt.bench.chaos_plan import IMPATIENT_SHARE, Luck
from trt.sandbox.telegram_chat import FakeButton, FakeMessage, Tap
from trt.sandbox.telegram_server import FakeTelegram
from trt.sandbox.telegram_user import FakeUser, NotSeen

USER_ID_FIRST = 2_000_000_000
MODEL = "nano-banana-pro"
"""Needs nothing but a text."""
PROMPT = "a fox in the snow"
PATIENCE_S = 600.0
"""For each answer. That it comes is the matter here; how soon, that of `trt bench failover`."""
IMPATIENT_S = 0.3


@define(eq=False)
class People:
    """Everybody who orders."""

    telegram: FakeTelegram
    luck: Luck
    buyers: list[int] = field(factory=list)
    """Who has pressed the button that starts the order."""
    taps: list[Tap] = field(factory=list)
    updates: list[int] = field(factory=list)
    """Everything that anybody did, by update id."""
    problems: list[str] = field(factory=list)
    """Who waited in vain, and for what."""
    _arrived: int = 0

    async def order_all(self, pauses_s: Iterable[float]) -> None:
        """Let somebody new come after each pause; returns when all have ordered."""
        async with trio.open_nursery() as nursery:
            for pause_s in pauses_s:
                await trio.sleep(pause_s)
                user = self.telegram.user(USER_ID_FIRST + self._arrived)
                self._arrived += 1
                taps = 2 if self.luck.happens("somebody is impatient", IMPATIENT_SHARE) else 1
                nursery.start_soon(self._order, user, taps)

    async def _order(self, user: FakeUser, taps: int) -> None:
        try:
            self.updates.append(user.send("/start"))
            menu = await user.wait_message(_has("cat:"), PATIENCE_S)
            self._note(user.tap_data(f"make:{MODEL}", menu))
            await user.wait_message(_has("example:"), PATIENCE_S)
            self.updates.append(user.send(PROMPT))
            order = await user.wait_message(_has("confirm:"), PATIENCE_S)
        except NotSeen as what:
            self.problems.append(f"{user.user_id} waited in vain: {what}")
            return
        [confirm] = [button for button in order.buttons if _is("confirm:", button)]
        self.buyers.append(user.user_id)
        for _ in range(taps):
            self._note(user.tap_data(confirm.data or "", order))
            await trio.sleep(IMPATIENT_S)

    def _note(self, tap: Tap) -> None:
        self.taps.append(tap)
        self.updates.append(tap.update_id)


def _has(kind: str) -> Callable[[FakeMessage], bool]:
    return lambda message: any(_is(kind, button) for button in message.buttons)


def _is(kind: str, button: FakeButton) -> bool:
    return (button.data or "").startswith(kind)
