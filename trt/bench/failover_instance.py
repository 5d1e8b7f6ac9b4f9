"""One `trt run` of `trt bench failover`: started, signalled, and its log waited for."""

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import trio
from attrs import define, field

import trt
from trt.bench.children import RECEIVE_BYTES, ChildFailed

LOG_WITHIN_S = 30.0
STOP_S = 10.0
TELLING = (b'"LOCK_', b'"APP_', b'"ACTOR_', b'"WEBHOOK_', b'"error"')
"""What is looked for in the log; everything else is only written down."""
HANDLED = b'"DISPATCH_OK"'
"""What an instance says of each update, right after the commit."""
TAIL_LINES = 15

Line = dict[str, Any]
T = TypeVar("T")


@define(eq=False)
class Instance:
    """A running `trt run` and what it said."""

    process: trio.Process
    name: str
    lines: list[Line] = field(factory=list)
    """The telling lines of its log, oldest first."""
    handled_s: list[float] = field(factory=list)
    """When it said of an update that it is handled, in seconds since the epoch."""
    tail: list[str] = field(factory=list)
    """The last lines of its log, whatever they are."""
    ended: trio.Event = field(factory=trio.Event)
    """It is gone, and all that it said is here."""
    _news: trio.Event = field(factory=trio.Event)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def events(self, name: str) -> list[Line]:
        """Return its log lines of one event."""
        return [line for line in self.lines if line["event"] == name]

    async def wait_event(self, name: str, after: int = 0, within_s: float = LOG_WITHIN_S) -> Line:
        """Return the log line of an event that follows the first `after` ones, now or later.

        Raises:
            ChildFailed: It does not come.
        """
        return await self._wait(
            lambda: next(iter(self.events(name)[after:]), None), f"no {name}", within_s
        )

    @property
    def is_holder(self) -> bool:
        """Whether it holds the lease, by its own word; a frozen one has said nothing since."""
        said = [line["event"] for line in self.lines if line["event"].startswith("LOCK_")]
        return said[-1:] == ["LOCK_ACQUIRED"]

    async def wait_exit(self) -> int:
        """Return its exit code once it has ended.

        Raises:
            ChildFailed: It does not end.
        """
        with trio.move_on_after(STOP_S):
            await self.ended.wait()
            return await self.process.wait()
        raise ChildFailed(f"{self.name} does not stop:\n{self.last_words()}")

    def last_words(self) -> str:
        """Return the end of its log."""
        return "\n".join(self.tail)

    async def listen(self, log: Path) -> None:
        """Read its log to the end, and keep all of it in a file."""
        assert self.process.stderr is not None
        rest = b""
        async with await trio.open_file(log, "ab") as kept, self.process.stderr as stderr:
            while arrived := await stderr.receive_some(RECEIVE_BYTES):
                await kept.write(arrived)
                *whole, rest = (rest + arrived).split(b"\n")
                self._hear(whole)
        self.ended.set()
        self._tell()

    def _hear(self, whole: list[bytes]) -> None:
        self.tail = [*self.tail, *(line.decode(errors="replace") for line in whole)][-TAIL_LINES:]
        telling = [line for line in whole if any(word in line for word in TELLING)]
        self.lines += [msgspec.json.decode(line) for line in telling if line.startswith(b"{")]
        self.handled_s += [
            datetime.fromisoformat(msgspec.json.decode(line)["ts"]).timestamp()
            for line in whole
            if HANDLED in line
        ]
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def _wait(self, look: Callable[[], T | None], otherwise: str, within_s: float) -> T:
        with trio.move_on_after(within_s):
            while (found := look()) is None and not self.ended.is_set():
                await self._news.wait()
            if found is not None:
                return found
        raise ChildFailed(f"{self.name}: {otherwise} within {within_s:g} s:\n{self.last_words()}")


async def live(
    name: str,
    environment: Mapping[str, str],
    folder: Path,
    *,
    task_status: trio.TaskStatus[Instance] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run `trt run` in `folder` until it ends; cancelled, it is killed.

    Args:
        name: What it is called here; its log goes into a file of that name.
        environment: All that it gets of an environment, beside the way to this package.
        folder: Where it runs.
        task_status: Is given the instance as soon as there is a process.
    """
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "trt", "run"],
        env={"PYTHONPATH": str(Path(trt.__file__).parent.parent), **environment},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    instance = Instance(process, name)
    task_status.started(instance)
    try:
        await instance.listen(folder / f"{name}.log")
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
