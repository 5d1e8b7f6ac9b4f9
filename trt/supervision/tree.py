"""`Tree`: runs a whole supervision tree, from ready to stopped."""

from collections.abc import Callable

import trio

from trt.supervision.cell import Cell
from trt.supervision.child import Child
from trt.supervision.events import Crashed, DeadLetter, DeadLettered, DidNotStop, SupervisionEvent
from trt.supervision.restart import Budget, RestartWindow
from trt.supervision.snapshot import ActorSnapshot
from trt.supervision.supervisor import Supervisor


class Tree:
    """The root of supervision; nothing of it outlives `run`."""

    def __init__(
        self,
        root: Supervisor,
        on_event: Callable[[SupervisionEvent], None],
        on_dead_letter: Callable[[DeadLetter], None] | None = None,
    ) -> None:
        """Declare the tree.

        `on_event` hears everything, at once, and must not raise. `on_dead_letter` is called for
        every message in the tree that will not be handled, before the hook of its child.
        """
        self._on_event = on_event
        self._on_dead_letter = on_dead_letter
        self._unstopped: list[str] = []
        self._cell = Cell.of(Child(root.name, root))
        self._cell.emit = self._emit
        self._is_stop_requested = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until `request_stop`; `task_status.started()` comes when the whole tree is ready.

        A stop that was requested before that counts as started too.

        However this ends (also when it is cancelled or interrupted), the tree is stopped in
        reverse order first, each child within its grace.

        Raises:
            RestartLimitExceeded: the root gave up.
            StartFailed: a child crashed before it was ready, at the first start.
        """
        cell = self._cell
        async with trio.open_nursery() as nursery:
            cell.begin()
            nursery.start_soon(cell.live, _ignore, name=cell.path)
            try:
                if self._is_stop_requested:
                    cell.request_stop(is_final=True)
                await cell.settled().wait()
                if cell.is_ready or self._is_stop_requested:
                    task_status.started()
                await cell.ended().wait()
            finally:
                with trio.CancelScope(shield=True):
                    await cell.bring_down(is_final=True)
        if cell.error is not None:
            raise cell.error

    def request_stop(self) -> None:
        """Ask the tree to stop, in order; `run` then returns."""
        self._is_stop_requested = True
        self._cell.request_stop(is_final=True)

    def snapshot(self) -> ActorSnapshot:
        """Describe the whole tree."""
        return self._cell.snapshot(RestartWindow(Budget(0)))

    @property
    def unstopped(self) -> tuple[str, ...]:
        """The paths that outlived their grace and their cancellation."""
        return tuple(self._unstopped)

    def _emit(self, event: SupervisionEvent) -> None:
        if type(event) is DidNotStop and event.path not in self._unstopped:
            self._unstopped.append(event.path)
        self._on_event(event)
        if type(event) is DeadLettered and self._on_dead_letter is not None:
            try:
                self._on_dead_letter(event.letter)
            except Exception as error:  # noqa: BLE001 - a hook must not break an ordered stop
                self._on_event(Crashed(path=event.path, error=error))


def _ignore() -> None:
    """Nobody above the root waits for news of its end."""
