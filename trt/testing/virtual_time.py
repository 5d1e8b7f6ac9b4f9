"""Virtual time: hours pass in milliseconds, and a seed decides every interleaving."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import trio
import trio.testing
from typing_extensions import override

from trt.sources import Sources

T = TypeVar("T")

BEGINNING = datetime(2026, 11, 21, 12, tzinfo=UTC)


class VirtualSources(Sources):
    """Wall clock from trio's clock; chance and ids from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self._began_s: float | None = None

    @override
    def now(self) -> datetime:
        if self._began_s is None:
            self._began_s = trio.current_time()
        return BEGINNING + timedelta(seconds=trio.current_time() - self._began_s)

    @override
    def random(self) -> random.Random:
        return self._random

    @override
    def token(self, length: int) -> str:
        return f"{self._random.getrandbits(4 * length):0{length}x}"


def run_virtual(story: Callable[..., Awaitable[T]], *arguments: Any, seed: int = 0) -> T:
    """Run an async function to its end in virtual time.

    The clock jumps whenever every task waits. The order in which ready tasks run is shuffled by
    `seed` and the same for the same seed.
    """
    # trio's own determinism hook (python-trio/trio#890), which Hypothesis uses too.
    scheduler: Any = trio._core._run  # noqa: SLF001
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # noqa: SLF001
    scheduler._r.seed(seed)  # noqa: SLF001
    clock = trio.testing.MockClock(autojump_threshold=0)
    try:
        return trio.run(story, *arguments, clock=clock)
    except BaseException as error:
        error.add_note(f"reproduce with seed={seed}")
        raise
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = False  # noqa: SLF001
