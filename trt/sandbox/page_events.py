"""The live half of the sandbox page: one event stream for each open page."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self, assert_never

import msgspec
import trio
from attrs import asdict
from quart.wrappers.response import ResponseBody
from typing_extensions import override

from trt.sandbox.page_source import (
    ActionShown,
    Change,
    ChatSource,
    CheckoutEnded,
    MessageGone,
    MessageShown,
    PageWireEntry,
    StarsChanged,
    TapAnswered,
    TreeView,
    WireSource,
)

TREE_INTERVAL_S = 1.0
KEEP_ALIVE_S = 15.0
"""The stream says at least something this often, so that proxies and browsers keep it open."""

_RESTLESS_FIELDS = frozenset({"uptime_s"})
"""What changes every second without being news."""


class EventStream(ResponseBody):
    """The body of `GET /api/events`: Server-Sent Events (WHATWG HTML, section 9.2).

    It listens only while somebody reads: entering it subscribes, leaving it (also because the page
    was closed) unsubscribes. Events are `hello` (the remembered wire log), `message`, `gone`,
    `answer`, `action`, `stars`, `checkout`, `wire` and `tree`; each carries JSON. The tree is
    looked at every `TREE_INTERVAL_S` and sent only when it differs from the one sent before.
    """

    def __init__(self, chat: ChatSource, wire: WireSource, tree: Callable[[], TreeView]) -> None:
        self._chat = chat
        self._wire = wire
        self._tree = tree
        self._stack = AsyncExitStack()
        self._put, self._take = trio.open_memory_channel[bytes](0)

    @override
    async def __aenter__(self) -> Self:
        changes = self._stack.enter_context(self._chat.subscribe())
        entries = self._stack.enter_context(self._wire.subscribe())
        remembered = self._wire.recent()
        nursery = await self._stack.enter_async_context(trio.open_nursery())
        self._stack.callback(nursery.cancel_scope.cancel)
        nursery.start_soon(self._tell_changes, changes)
        nursery.start_soon(self._tell_wire, remembered, entries)
        nursery.start_soon(self._tell_tree)
        return self

    @override
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(exc_type, exc_value, tb)  # noqa: ASYNC102 - it cancels first

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._take

    async def _tell_changes(self, changes: AsyncIterator[Change]) -> None:
        async for change in changes:
            await self._put.send(_change_event(change))

    async def _tell_wire(
        self, remembered: Sequence[PageWireEntry], entries: AsyncIterator[PageWireEntry]
    ) -> None:
        await self._put.send(_event("hello", {"wire": [asdict(entry) for entry in remembered]}))
        async for entry in entries:
            await self._put.send(_event("wire", asdict(entry)))

    async def _tell_tree(self) -> None:
        shown: Any = None
        said_at = trio.current_time()
        while True:
            tree = _without_restless(self._tree())
            if tree != shown:
                await self._put.send(_event("tree", tree))
                shown, said_at = tree, trio.current_time()
            elif trio.current_time() - said_at >= KEEP_ALIVE_S:
                await self._put.send(b": still here\n\n")
                said_at = trio.current_time()
            await trio.sleep(TREE_INTERVAL_S)


def _change_event(change: Change) -> bytes:
    match change:
        case MessageShown(user_id=user_id, message=message):
            return _event("message", {"user": user_id, "message": asdict(message)})
        case MessageGone(user_id=user_id, message_id=message_id):
            return _event("gone", {"user": user_id, "message_id": message_id})
        case TapAnswered(user_id=user_id):
            return _event("answer", {"user": user_id, **asdict(change)})
        case ActionShown(user_id=user_id, action=action):
            return _event("action", {"user": user_id, "action": action})
        case StarsChanged(user_id=user_id, stars=stars):
            return _event("stars", {"user": user_id, "stars": stars})
        case CheckoutEnded(user_id=user_id):
            return _event("checkout", {"user": user_id, **asdict(change)})
        case _:
            assert_never(change)


def _event(name: str, data: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


def _without_restless(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_restless(inner)
            for key, inner in value.items()
            if key not in _RESTLESS_FIELDS
        }
    if isinstance(value, list | tuple):
        return [_without_restless(inner) for inner in value]
    return value
