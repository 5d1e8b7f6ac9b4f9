"""`trt run`: the service as a process, from its signals to its exit code."""

import os
import signal
from collections.abc import Callable

import trio

from trt.app import App, open_app
from trt.config import Config
from trt.sources import Sources
from trt.telemetry.events import EventName

EXIT_OK = 0
EXIT_UNSTOPPED = 1
EXIT_AT_ONCE = 130


async def run_service(config: Config, sources: Sources) -> int:
    """Run until SIGTERM or SIGINT and return the exit code.

    The first signal drains: posts get 503, what is in hand is finished, the lease is released. A
    second one stops at once: everything that matters is committed, the next start goes on from it.
    """
    async with open_app(config, sources) as app, trio.open_nursery() as nursery:
        nursery.start_soon(_watch_signals, app, config.drain_grace_s)
        started_s = trio.current_time()
        await run_app(app, lambda: _report_start(app, config))
        events = app.parts.events
        unstopped = app.tree.unstopped
        events.emit(
            EventName.APP_STOPPED,
            unstopped=",".join(unstopped),
            duration_s=round(trio.current_time() - started_s, 3),
            pid=os.getpid(),
        )
        nursery.cancel_scope.cancel()
        return EXIT_UNSTOPPED if unstopped else EXIT_OK
    raise AssertionError("the app ended without an exit code")


async def run_app(app: App, on_ready: Callable[[], None]) -> None:
    """Run an app and say when it is ready."""
    async with trio.open_nursery() as nursery:
        await nursery.start(app.run)
        on_ready()


def _report_start(app: App, config: Config) -> None:
    app.parts.events.emit(
        EventName.APP_STARTED,
        mode=config.bot_mode,
        host=config.host,
        port=config.port,
        database=config.database_path.name,
        pid=os.getpid(),
    )


async def _watch_signals(app: App, drain_grace_s: float) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for signum in signals:
            app.parts.events.emit(
                EventName.APP_STOPPING, reason=signal.Signals(signum).name, pid=os.getpid()
            )
            break
        app.stop()
        with trio.move_on_after(drain_grace_s):
            async for _ in signals:
                os._exit(EXIT_AT_ONCE)
        os._exit(EXIT_UNSTOPPED)
