"""`Ref`: all that others may hold of an actor."""

from collections.abc import Awaitable
from typing import Any, Generic, Protocol, TypeVar, cast

import trio
from typing_extensions import override

from trt.supervision.envelope import Ask, Envelope, ReplySlot
from trt.supervision.errors import AskTimedOut

R = TypeVar("R")
M_contra = TypeVar("M_contra", contravariant=True)


class Post(Protocol):
    """Where envelopes are put: a mailbox."""

    @property
    def name(self) -> str:
        """The name senders see in errors."""
        ...

    def put_nowait(self, envelope: Envelope[Any]) -> None:
        """Put without waiting, or raise `MailboxFull` or `ActorStopped`."""
        ...

    def put(self, envelope: Envelope[Any]) -> Awaitable[None]:
        """Put, waiting for room, or raise `ActorStopped`."""
        ...


class Ref(Generic[M_contra]):
    """A typed address that stays valid across restarts of its actor."""

    __slots__ = ("_post",)

    def __init__(self, post: Post) -> None:
        self._post = post

    @override
    def __repr__(self) -> str:
        return f"<Ref to {self._post.name}>"

    async def tell(self, message: M_contra) -> None:
        """Put `message` into the mailbox, waiting while it is full.

        Raises:
            ActorStopped: the actor has stopped for good; `message` is in the error.
        """
        await self._post.put(Envelope(message=message))

    def tell_nowait(self, message: M_contra) -> None:
        """Put `message` into the mailbox at once.

        Raises:
            MailboxFull: there is no room; counted as refused.
            ActorStopped: the actor has stopped for good.
        """
        self._post.put_nowait(Envelope(message=message))

    async def ask(self, question: Ask[R], timeout_s: float) -> R:
        """Put `question` into the mailbox and wait for its reply, both within `timeout_s`.

        The deadline travels with the question: when it passes while the question still waits in
        the mailbox, the question is never handled.

        Raises:
            AskTimedOut: no reply before the deadline.
            ActorStopped: the actor stopped for good before it replied.
            ActorCrashed: the actor crashed on this question until it was put aside as poison.
        """
        slot = ReplySlot()
        deadline = trio.current_time() + timeout_s
        envelope = Envelope(message=question, deadline=deadline, slot=slot)
        try:
            with trio.move_on_at(deadline):
                await self._post.put(envelope)
                return cast("R", await slot.wait())
        finally:
            slot.is_abandoned = True
        raise AskTimedOut(self._post.name, question, timeout_s)
