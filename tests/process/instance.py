"""The service as a child process: started, watched, signalled, and always gone afterwards."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import trio
from attrs import Factory, define, frozen

CHECKOUT = Path(__file__).parents[2]
DEADLINE_S = 30.0
"""Generous: it turns a wait that would never end into a failure and says nothing about speed."""
TAIL_LINES = 25

Line = dict[str, Any]
T = TypeVar("T")


def command_environment(packages: Path = CHECKOUT) -> dict[str, str]:
    """Return what any command needs: nothing of ours, and the package from `packages`."""
    return {"PATH": os.defpath, "PYTHONPATH": str(packages), "PYTHONUTF8": "1"}


@frozen(kw_only=True)
class Finished:
    """A command that has ended by itself."""

    code: int
    out: str
    err: str


async def run_command(
    *arguments: str, environment: Mapping[str, str], folder: Path, module: str = "trt"
) -> Finished:
    """Run `python -m trt …` to its end, in `folder`."""
    with trio.fail_after(DEADLINE_S):
        done = await trio.run_process(
            [sys.executable, "-m", module, *arguments],
            env=dict(environment),
            cwd=folder,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    return Finished(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())


@define(eq=False)
class Instance:
    """A running `python -m trt …`; what it wrote is kept, and can be waited for."""

    process: trio.Process
    out: list[str] = Factory(list)
    """Lines of the standard output."""
    err: list[str] = Factory(list)
    """Lines of the standard error stream: the log."""
    _news: trio.Event = Factory(trio.Event)
    _are_ended: int = 0

    @property
    def log(self) -> list[Line]:
        """The log's JSON lines."""
        return [json.loads(line) for line in self.err if line.startswith("{")]

    async def wait_event(self, name: str, **fields: object) -> Line:
        """Return the first log line of this event that carries these fields, now or later."""
        wanted = {"event": name, **fields}
        return await self._wait(lambda: _first(self.log, wanted), f"no {wanted} in the log")

    async def wait_said(self, words: str) -> str:
        """Return the first line of the standard output that has these words, now or later."""
        return await self._wait(
            lambda: next((line for line in self.out if words in line), None), f"never said {words}"
        )

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def kill(self) -> None:
        """End it as a power cut would; returns when it is gone."""
        self.process.kill()
        await self.process.wait()

    async def wait_exit(self) -> int:
        """Return its exit code once it ended by itself and everything it wrote is here."""
        with trio.fail_after(DEADLINE_S):
            code = await self.process.wait()
        await self._wait(lambda: self._are_ended == 2 or None, "its pipes stay open")
        return code

    async def stop(self) -> int:
        """Stop it as a deploy does, and return its exit code."""
        self.signal(signal.SIGTERM)
        return await self.wait_exit()

    async def collect(self, stream: trio.abc.ReceiveStream, lines: list[str]) -> None:
        """Read a pipe to its end."""
        rest = b""
        async for chunk in stream:
            *whole, rest = (rest + chunk).split(b"\n")
            lines.extend(line.decode() for line in whole)
            self._tell()
        self._are_ended += 1
        self._tell()

    async def _wait(self, look: Callable[[], T | None], otherwise: str) -> T:
        with trio.move_on_after(DEADLINE_S):
            while (found := look()) is None:
                await self._news.wait()
            return found
        raise AssertionError(otherwise)

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()


def _first(lines: list[Line], wanted: Line) -> Line | None:
    return next((line for line in lines if wanted.items() <= line.items()), None)


@asynccontextmanager
async def started(
    *arguments: str, environment: Mapping[str, str], folder: Path
) -> AsyncIterator[Instance]:
    """Start `python -m trt …` in `folder`; whatever happens, it is gone at the end."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "trt", *arguments],
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    instance = Instance(process)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with process.stdout, process.stderr, trio.open_nursery() as nursery:
            nursery.start_soon(instance.collect, process.stdout, instance.out)
            nursery.start_soon(instance.collect, process.stderr, instance.err)
            yield instance
            nursery.cancel_scope.cancel()
    except BaseException as error:
        error.add_note("\n".join(["It wrote at last:", *instance.err[-TAIL_LINES:]]))
        raise
    finally:
        with trio.CancelScope(shield=True):
            await instance.kill()
