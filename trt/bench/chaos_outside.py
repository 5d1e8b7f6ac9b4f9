"""What is outside of `trt bench chaos`: the pretended Telegram and KIE, and bad luck with both."""

from collections.abc import Collection

import trio
from attrs import define, field, frozen

from trt.bench.chaos_plan import FAILURE_SHARE, SILENT_SHARE, Luck
from trt.bench.chaos_plan import Misfortune as Bad
from trt.bench.failover_outside import PNG
from trt.sandbox.faults import Call, CutBefore, Fault, Faults, ServerError, TooMany, gateway_page
from trt.sandbox.http import ConnectionCut, Reply, Request
from trt.sandbox.kie_script import Fail
from trt.sandbox.kie_server import FakeKIE
from trt.sandbox.telegram_server import FakeTelegram
from trt.sources import Sources

GENERATION_S = 2.0
TOO_MANY_S_MAX = 2
"""How long a 429 asks to wait, at most."""
CREATE_TASK = "createTask"
TAP_ANSWER = "answerCallbackQuery"
_DOWN: dict[Bad, Fault] = {Bad.SERVER_ERROR: ServerError(), Bad.CUT: CutBefore()}
"""The call is not executed."""


@frozen(kw_only=True)
class SeenMessage:
    """A message that arrived in a chat."""

    chat_id: int
    message_id: int
    method: str
    at_s: float
    """In seconds since the epoch."""
    is_answer_lost: bool
    is_notice: bool
    """A standby said that it takes a while: that is in no outbox."""


@define(eq=False)
class Outside:
    """Telegram and KIE, and what was seen of them."""

    telegram: FakeTelegram
    kie: FakeKIE
    luck: Luck
    sources: Sources
    silence_s: float
    notices: Collection[str]
    """What a standby says, in all languages."""
    messages: list[SeenMessage] = field(factory=list)
    """In order of arrival."""
    answers_arrived: dict[str, None] = field(factory=dict)
    """Taps whose answer reached Telegram, be it too late, by callback query id."""
    _lost: list[Call] = field(factory=list)
    _last_ids: dict[int, int] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.telegram.before_call = self._before_telegram
        self.telegram.after_call = self._after_telegram
        self.kie.before_call = self._before_kie
        self.kie.after_call = self._after_kie

    async def _before_telegram(self, call: Call) -> None:
        self._arrange(self.telegram.faults, call)

    async def _before_kie(self, call: Call) -> None:
        self._arrange(self.kie.faults, call)
        if call.name == CREATE_TASK and self.luck.happens("a generation fails", FAILURE_SHARE):
            self.kie.script(Fail(after_s=GENERATION_S))

    def _arrange(self, faults: Faults, call: Call) -> None:
        """Order what is to become of this very call: it takes the order before any other can."""
        match drawn := self.luck.draw(call.name):
            case Bad.TOO_MANY:
                pause_s = 1 + int(self.luck.chance_of("pause") * TOO_MANY_S_MAX)
                faults.add(call.name, TooMany(pause_s), chat_id=call.chat_id)
            case Bad.SERVER_ERROR | Bad.CUT:
                faults.add(call.name, _DOWN[drawn], chat_id=call.chat_id)
            case Bad.LOST:
                self._lost.append(call)
            case Bad.NONE:
                pass

    async def _after_telegram(self, call: Call) -> None:
        is_lost = self._take_lost(call)
        if call.name == TAP_ANSWER:
            self.answers_arrived[str(call.arguments.get("callback_query_id"))] = None
        self._note_message(call, is_lost=is_lost)
        await self._lose(is_lost=is_lost)

    async def _after_kie(self, call: Call) -> None:
        await self._lose(is_lost=self._take_lost(call))

    def _take_lost(self, call: Call) -> bool:
        before = len(self._lost)
        self._lost = [one for one in self._lost if one is not call]
        return len(self._lost) < before

    async def _lose(self, *, is_lost: bool) -> None:
        if is_lost:
            if self.luck.happens("silence", SILENT_SHARE):
                await trio.sleep(self.silence_s)
            raise ConnectionCut

    def _note_message(self, call: Call, *, is_lost: bool) -> None:
        """Note the message that this call has just put into its chat, if it did."""
        if call.chat_id is None or not call.name.startswith("send"):
            return
        newest = self.telegram.user(call.chat_id).messages[-1]
        if not newest.is_from_bot or newest.message_id <= self._last_ids.get(call.chat_id, 0):
            return
        self._last_ids[call.chat_id] = newest.message_id
        self.messages.append(
            SeenMessage(
                chat_id=call.chat_id,
                message_id=newest.message_id,
                method=call.name,
                at_s=self.sources.now().timestamp(),
                is_answer_lost=is_lost,
                is_notice=newest.html in self.notices,
            )
        )

    async def serve_result(self, _: Request) -> Reply:
        """Give out a finished picture: always the same small one."""
        match self.luck.draw("results"):
            case Bad.SERVER_ERROR | Bad.TOO_MANY:
                return gateway_page(502)
            case Bad.CUT | Bad.LOST:
                raise ConnectionCut
            case Bad.NONE:
                return Reply(status=200, body=PNG, content_type="image/png")
