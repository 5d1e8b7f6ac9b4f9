"""The service of `trt bench flow`: the real one without Telegram's rates, asked what it spends.

It reads its configuration as one JSON line from stdin, then words: `usage` is answered with a JSON
line, `profile` begins one. The end of stdin ends it.
"""

import os
import resource
import sys

import msgspec
import trio
from attrs import frozen

from trt.actors.pace import Rate
from trt.actors.parts import Limits
from trt.app import App, open_app
from trt.bench.spending import Spending
from trt.config import Config, ConfigProblems, read_config
from trt.sources import SystemSources
from trt.storage.database import Transaction
from trt.telemetry.log import configure

UNLIMITED = Rate(interval_s=1e-6, burst=1_000_000)
RECEIVE_BYTES = 4096


@frozen(kw_only=True)
class Usage:
    """What this process has spent since its start."""

    cpu_s: float
    rss_kib_peak: int
    parts: dict[str, float]
    """CPU seconds by part since `profile`; without one empty."""


async def serve(config: Config) -> None:
    """Run the service and answer questions until stdin ends."""
    limits = Limits(chat_rate=UNLIMITED, bot_rate=UNLIMITED)
    async with open_app(config, SystemSources(), limits) as app, trio.open_nursery() as nursery:
        await nursery.start(app.run)
        await _answer_questions(app)
        nursery.cancel_scope.cancel()


async def _answer_questions(app: App) -> None:
    main, writer = Spending(), Spending()
    is_profiled = False
    async with trio.lowlevel.FdStream(sys.stdin.fileno()) as questions:
        while word := (await questions.receive_some(RECEIVE_BYTES)).strip():
            match word:
                case b"profile":
                    is_profiled = True
                    await app.parts.db.transact(_in_writer, writer, is_open=True)
                    main.open()
                case b"usage" if is_profiled:
                    main.close()
                    await app.parts.db.transact(_in_writer, writer, is_open=False)
                    _say(usage(_sum(main.by_part(), writer.by_part())))
                case b"usage":
                    _say(usage({}))
                case _:
                    raise ValueError(f"unknown question {word!r}")


def _sum(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {part: one.get(part, 0.0) + other.get(part, 0.0) for part in {**one, **other}}


def _in_writer(_: Transaction, spending: Spending, *, is_open: bool) -> None:
    """Work for the database's own thread: only there can it be profiled."""
    if sys.version_info >= (3, 12):
        return  # one profiler at a time; the writer's time is then shown as not profiled
    if is_open:
        spending.open()
    else:
        spending.close()


def usage(parts: dict[str, float]) -> Usage:
    """Return what this process has spent."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(cpu_s=spent.ru_utime + spent.ru_stime, rss_kib_peak=spent.ru_maxrss, parts=parts)


def _say(words: Usage) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(words) + b"\n")
    sys.stdout.buffer.flush()


def _first_line(descriptor: int) -> bytes:
    """Read one line and not a byte more: what follows belongs to trio's stream."""
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(descriptor, 1)
    return line


def main() -> None:
    """Run until stdin ends."""
    environment = msgspec.json.decode(_first_line(sys.stdin.fileno()), type=dict[str, str])
    config = read_config(environment)
    assert not isinstance(config, ConfigProblems), config
    configure(config.log_level, sys.stderr, config.secrets())
    trio.run(serve, config)


if __name__ == "__main__":
    main()
