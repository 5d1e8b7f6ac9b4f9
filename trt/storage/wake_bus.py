"""Wake-ups between processes: hints that save a wait, never a promise."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import trio
from typing_extensions import override


class WakeSource(Protocol):
    """Where the topics come from that some process gave to `Transaction.notify`."""

    def topics(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Listen while the context is open; the iterator waits for the next topic.

        From the moment the context is entered, no topic of a transaction that commits is missed;
        what was said before is lost, so look at everything once after entering. Topics that arrive
        together come once each. The iterator never ends.

        Raises:
            DatabaseUnavailable: On entering or from the iterator: the connection cannot be made or
                broke. Enter again.
        """
        ...


class NoWakeUps(WakeSource):
    """The source of an engine that carries none: whoever listens sleeps until cancelled."""

    @override
    def topics(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        return _Silence()


class _Silence(AbstractAsyncContextManager[AsyncIterator[str]]):
    @override
    async def __aenter__(self) -> AsyncIterator[str]:
        await trio.lowlevel.checkpoint()
        return self

    @override
    async def __aexit__(self, *_: object) -> None:
        return None

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        return await trio.sleep_forever()
