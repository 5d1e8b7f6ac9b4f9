"""`Ref`: all that others may hold of an actor."""

from collections.abc import Awaitable
from typing import Any, Generic, Protocol, TypeVar

import trio
from typing_extensions import override

from trt.supervision import deadlines
from trt.supervision.asker import Asked, current_asker
from trt.supervision.errors import AskTimedOut
from trt.supervision.question import Answering, Question, ReplySlot
from trt.supervision.turn import Turn, current_turn

new_turn = object.__new__

R = TypeVar("R")
M_contra = TypeVar("M_contra", contravariant=True)


class Post(Asked, Answering, Protocol):
    """Where messages are put: a mailbox."""

    def put_nowait(self, turn: Turn[Any]) -> None:
        """Put without waiting, or raise `MailboxFull` or `ActorStopped`."""
        ...

    def put(self, turn: Turn[Any]) -> Awaitable[None]:
        """Put, waiting for room, or raise `MailboxFull` or `ActorStopped`."""
        ...

    def has_room(self) -> bool:
        """Whether `put` would not wait."""
        ...


class Ref(Generic[M_contra]):
    """A typed address that stays valid across restarts of its actor.

    What is sent within a turn goes on with the correlation id of that turn, unless it gets a `cid`
    of its own.
    """

    __slots__ = ("_post",)

    def __init__(self, post: Post) -> None:
        self._post = post

    @override
    def __repr__(self) -> str:
        return f"<Ref to {self._post.name}>"

    async def tell(self, message: M_contra, *, cid: str | None = None) -> None:
        """Put `message` into the mailbox, waiting while it is full.

        Raises:
            ActorStopped: the actor has stopped for good; `message` is in the error.
            MailboxFull: there is no room, and the mailbox lets nobody wait.
        """
        about = None if cid is not None else current_turn()
        await self._post.put(Turn(message, cid if about is None else about.cid))

    def tell_nowait(self, message: M_contra, *, cid: str | None = None) -> None:
        """Put `message` into the mailbox at once.

        Raises:
            MailboxFull: there is no room; counted as refused.
            ActorStopped: the actor has stopped for good.
        """
        # Past `__init__`, which would cost 8 % of a tell: nothing in the runtime is busier.
        turn = new_turn(Turn)
        turn.message = message
        if cid is None:
            about = current_turn()
            turn.cid = None if about is None else about.cid
        else:
            turn.cid = cid
        self._post.put_nowait(turn)

    async def ask(
        self, question: Question[M_contra, R], timeout_s: float, *, cid: str | None = None
    ) -> R:
        """Put `question` into the mailbox and wait for its reply, both within `timeout_s`.

        The deadline travels with the question: when it passes while the question still waits in
        the mailbox, the question is never handled. A question that is asked within the turn of
        another question waits no longer than that one's asker does.

        Raises:
            AskTimedOut: no reply before the deadline.
            AskCycle: the actor waits, perhaps through others, for the one that asks it.
            ActorStopped: the actor stopped for good before it replied.
            ActorCrashed: the actor crashed on this question until it was put aside as poison.
            MailboxFull: there is no room, and the mailbox lets nobody wait.
            MessageDropped: newer messages took its place in the mailbox.
        """
        post, now, about = self._post, trio.current_time(), current_turn()
        deadline = now + timeout_s
        if about is not None and not about.is_over:
            deadline = min(deadline, about.deadline)
        if deadline <= now:
            raise AskTimedOut(post.name, question, deadline - now)
        turn: Turn[Any] = Turn(question, cid if cid is not None or about is None else about.cid)
        turn.deadline = deadline
        slot = turn.slot = ReplySlot(post)
        asker = current_asker()
        if asker is not None:
            asker.waits(turn, post)
        try:
            answer: R = await _answer(post, turn, slot, deadline - now)
        finally:
            if asker is not None:
                asker.goes_on()
        return answer


async def _answer(post: Post, turn: Turn[Any], slot: ReplySlot, timeout_s: float) -> Any:
    """Put the question and wait for its answer, both until its deadline."""

    def late() -> Exception:
        return AskTimedOut(post.name, turn.message, timeout_s)

    if post.has_room():
        post.put_nowait(turn)
    else:
        with trio.move_on_at(turn.deadline) as waiting:
            await post.put(turn)
        if waiting.cancelled_caught:
            raise late()
    clock = deadlines.of_this_run()
    clock.watch(slot, turn.deadline, late)
    try:
        return await slot.wait()
    finally:
        slot.is_abandoned = True
        clock.forget_one()
