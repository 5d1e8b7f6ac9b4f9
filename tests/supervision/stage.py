"""A stage for supervision stories: virtual time, many scheduler seeds, children that keep a log."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import trio
from trio._core import _run as trio_scheduler
from trio.testing import MockClock

from tests.supervision.scale import SEEDS
from trt.supervision import Context, Mailbox, SupervisionEvent, Supervisor, Tree

Story = Callable[[], Awaitable[None]]


def every_seed(story: Story) -> Callable[[], None]:
    """Make a test that plays `story` in virtual time under every scheduler seed."""

    def play() -> None:
        with deterministic():
            for seed in SEEDS:
                play_once(story, seed)

    play.__name__ = getattr(story, "__name__", "play")
    return play


@contextmanager
def deterministic() -> Iterator[None]:
    """Let the scheduler draw its order from the seed alone."""
    before = trio_scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    trio_scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    try:
        yield
    finally:
        trio_scheduler._ALLOW_DETERMINISTIC_SCHEDULING = before  # type: ignore[misc]


def play_once(story: Story, seed: int) -> None:
    trio_scheduler._r.seed(seed)
    try:
        trio.run(story, clock=MockClock(autojump_threshold=0))
    except BaseException as error:
        error.add_note(f"scheduler seed {seed}")
        raise


class Player:
    """A child that logs `+name` and `-name`, and crashes, returns or lingers when told to."""

    def __init__(
        self,
        name: str,
        log: list[str],
        *,
        start_s: float = 0.0,
        stop_s: float = 0.0,
        is_shielded: bool = False,
        fails_to_start: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self.name = name
        self.log = log
        self.start_s = start_s
        self.stop_s = stop_s
        self.is_shielded = is_shielded
        self.fails_to_start = fails_to_start
        self.incarnation = 0
        self.is_up = False
        self._cue = trio.Event()
        self._error: BaseException | None = None

    def crash(self, error: BaseException | None = None) -> None:
        self._error = error if error is not None else ValueError(self.name)
        self._cue.set()

    def finish(self) -> None:
        self._cue.set()

    async def run(self, ctx: Context[Any]) -> None:
        assert not self.is_up, "two incarnations at once"
        self.is_up = True
        self.incarnation += 1
        self._cue, self._error = trio.Event(), None
        self.log.append(f"+{self.name}")
        try:
            if self.fails_to_start(self.incarnation):
                raise RuntimeError(self.name)
            await trio.sleep(self.start_s)
            ctx.ready()
            await self._perform(ctx)
        finally:
            with trio.CancelScope(shield=self.is_shielded):
                if self.is_shielded:
                    await trio.sleep(self.stop_s)  # noqa: ASYNC102 - the bad manners under test
            self.is_up = False
            self.log.append(f"-{self.name}")

    async def _perform(self, ctx: Context[Any]) -> None:
        with ctx.stop.interrupts():
            await self._cue.wait()
        if self._error is not None:
            raise self._error
        if ctx.is_stopping:
            await trio.sleep(self.stop_s)


@asynccontextmanager
async def running(
    root: Supervisor, heard: list[SupervisionEvent] | None = None
) -> AsyncIterator[Tree]:
    """Run a tree around the block, and stop it in order at its end."""
    events: list[SupervisionEvent] = [] if heard is None else heard
    tree = Tree(root, events.append)
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        yield tree
        tree.request_stop()


def seeded() -> random.Random:
    return random.Random(7)


def mailbox(capacity: int = 8) -> Mailbox[Any]:
    return Mailbox("box", capacity)


async def fails_with(kind: type[Exception], work: Callable[[], Awaitable[object]]) -> Exception:
    """Await `work`, which must raise `kind`, perhaps alone in groups; return the error."""
    error: Exception | None = None
    try:
        await work()
    except Exception as caught:  # noqa: BLE001
        error = caught
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    assert isinstance(error, kind), f"expected {kind.__name__}, got {error!r}"
    return error
