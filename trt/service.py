"""`trt run`: the service as a process, from its signals to its exit code."""

import os
import signal
import sys
from collections.abc import Iterator

import trio

from trt.app import App, open_app
from trt.config import Config
from trt.sources import Sources
from trt.supervision import ActorSnapshot, RestartLimitExceeded, StartFailed, State
from trt.telemetry.events import EventName

EXIT_OK = 0
EXIT_UNSTOPPED = 1
EXIT_AT_ONCE = 130
THREAD_SWITCH_S = 0.0005
"""How long one thread of Python may keep the others waiting. A transaction on PostgreSQL comes back
from the server a dozen times, and each time its thread waits for trio's: with Python's usual 5 ms
an answer to a tap took six times as long under load."""


async def run_service(config: Config, sources: Sources) -> int:
    """Run until SIGTERM or SIGINT and return the exit code.

    The first signal drains: posts get 503, what is in hand is finished, the lease is released. A
    second one stops at once: everything that matters is committed, the next start goes on from it.

    When the tree gives up (its log lines ACTOR_CRASHED and ACTOR_GAVE_UP say why) the exit code is
    1, and whoever supervises the process starts it again.

    Raises:
        CannotBind, DatabaseUnopenable, MigrationRefused, RegistryBroken: See `open_app`.
    """
    sys.setswitchinterval(THREAD_SWITCH_S)
    async with open_app(config, sources) as app:
        started_s, has_given_up = trio.current_time(), False
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stop_on_signal, app, config.drain_grace_s)
                await _run(app, config)
                nursery.cancel_scope.cancel()
        except* (RestartLimitExceeded, StartFailed):
            has_given_up = True
        app.parts.events.emit(
            EventName.APP_STOPPED,
            unstopped=",".join(app.tree.unstopped),
            duration_s=round(trio.current_time() - started_s, 3),
            pid=os.getpid(),
        )
        return EXIT_UNSTOPPED if has_given_up or app.tree.unstopped else EXIT_OK


async def _run(app: App, config: Config) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(app.run)
        app.parts.events.emit(
            EventName.APP_STARTED,
            mode=config.bot_mode,
            host=config.host,
            port=config.port,
            database=app.engine,
            pid=os.getpid(),
        )


async def stop_on_signal(app: App, drain_grace_s: float) -> None:
    """Let the first SIGTERM or SIGINT stop the app in order; a second one ends the process.

    So does a drain that takes longer than `drain_grace_s`. Never returns by itself.
    """
    # One receiver for both: between two, a signal would kill the process in the middle of a drain.
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        name = signal.Signals(await anext(signals)).name
        app.parts.events.emit(EventName.APP_STOPPING, reason=name, pid=os.getpid())
        app.stop()
        with trio.move_on_after(drain_grace_s):
            await anext(signals)
            os._exit(EXIT_AT_ONCE)
        late = ",".join(_stopping(app.tree.snapshot()))
        app.parts.events.emit(EventName.APP_STOPPED, unstopped=late, pid=os.getpid())
        os._exit(EXIT_UNSTOPPED)


def _stopping(place: ActorSnapshot) -> Iterator[str]:
    """Name the leaves that were asked to stop and have not."""
    if place.state is State.STOPPING and not place.children:
        yield place.path
    for child in place.children:
        yield from _stopping(child)
