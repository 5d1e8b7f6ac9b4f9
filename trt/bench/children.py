"""The processes of a bench: started, spoken to over pipes, and ended one by one by their handle."""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx
import msgspec
import trio

import trt
from trt.bench.load import LoadOrder, LoadResult
from trt.web.listener import bind

LOOPBACK = "127.0.0.1"
READY_WITHIN_S = 30.0
STOP_S = 5.0
RECEIVE_BYTES = 65_536


class ChildFailed(Exception):  # noqa: N818 - an operating error with the child's own words
    """A process of the bench ended or kept silent; the message ends with what it said last."""


@asynccontextmanager
async def child(
    arguments: Sequence[str],
    said: Path,
    *,
    environment: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> AsyncIterator[trio.Process]:
    """Run `python -m …` with pipes to its stdin and stdout, and end it on the way out.

    Args:
        arguments: What follows `-m`.
        said: The file that its stderr is appended to.
        environment: All that it gets of an environment, beside the way to this package.
        pass_fds: Descriptors that stay open in it.
    """
    root = str(Path(trt.__file__).parent.parent)
    with said.open("ab") as stderr:  # noqa: ASYNC230 - one line of a bench's set-up
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={"PYTHONPATH": root, **(environment or {})},
            pass_fds=pass_fds,
        )
    try:
        yield process
    finally:
        with trio.CancelScope(shield=True):
            await _end(process)


async def _end(process: trio.Process) -> None:
    """A bench has seen what it wanted; a service with a long backlog need not drain it."""
    process.terminate()
    with trio.move_on_after(STOP_S):
        await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            await pipe.aclose()


@asynccontextmanager
async def server(module: str, said: Path) -> AsyncIterator[int]:
    """Run a server of this package; yields its port once it has answered there.

    Raises:
        ChildFailed: It does not answer.
    """
    with bind(LOOPBACK, 0) as bound:
        port: int = bound.getsockname()[1]
        descriptor = bound.fileno()
        async with child([module, str(descriptor)], said, pass_fds=[descriptor]):
            await _wait_answer(port, said)
            yield port


async def _wait_answer(port: int, said: Path) -> None:
    """The socket listens already, so one question is enough: it waits until the child is there."""
    try:
        async with httpx.AsyncClient(timeout=READY_WITHIN_S) as http:
            await http.get(f"http://{LOOPBACK}:{port}/")
    except httpx.TransportError as error:
        raise ChildFailed(f"A server of the bench did not start:\n{last_words(said)}") from error


async def run_load(order: LoadOrder, said: Path) -> LoadResult:
    """Run the load generator to its end.

    Raises:
        ChildFailed: It ended without a result.
    """
    async with child(["trt.bench.load"], said) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdin.send_all(msgspec.json.encode(order))
        await process.stdin.aclose()
        answer = b""
        while arrived := await process.stdout.receive_some(RECEIVE_BYTES):
            answer += arrived
        if not answer:
            raise ChildFailed(f"The load generator failed:\n{last_words(said)}")
        return msgspec.json.decode(answer, type=LoadResult)


async def end_on_sigterm() -> None:
    """End as on Ctrl-C, and not without those that were started."""
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            raise KeyboardInterrupt


def last_words(said: Path, size: int = 2000) -> str:
    """Return the end of what a child wrote to stderr."""
    return said.read_text(errors="replace")[-size:]


def free_port() -> int:
    """Return a port that nobody listens on right now."""
    with closing(bind(LOOPBACK, 0)) as bound:
        port: int = bound.getsockname()[1]
        return port
