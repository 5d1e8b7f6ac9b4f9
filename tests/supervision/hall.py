"""A directory of sessions that note what they handle."""

from collections.abc import Callable

import trio

from trt.supervision import (
    Backoff,
    Budget,
    Child,
    Context,
    DeadLetter,
    Directory,
    Supervisor,
    WhenFull,
)


class Session:
    """Notes what it handles; `slow` takes ten seconds, `crash` and `last` do what they say."""

    def __init__(self, key: int, hall: "Hall") -> None:
        self.key = key
        self.hall = hall

    async def run(self, ctx: Context[str]) -> None:
        assert self.key not in self.hall.awake, "two actors for one key"
        self.hall.awake.append(self.key)
        self.hall.starts += 1
        self.hall.awake_peak = max(self.hall.awake_peak, len(self.hall.awake))
        try:
            async for turn in ctx.turns():
                if turn.message == "slow":
                    await trio.sleep(10)
                if turn.message == "crash":
                    raise ValueError
                self.hall.handled.append((self.key, turn.message))
                if turn.message == "last":
                    return
        finally:
            self.hall.awake.remove(self.key)


class Hall:
    """A directory of sessions in a tree."""

    def __init__(
        self,
        *,
        idle_after_s: float | None = None,
        when_full: WhenFull = WhenFull.REFUSE,
        live_max: int = 10,
        capacity: int = 4,
        budget: Budget = Budget(5, 60.0),  # noqa: B008
        on_given_up: Callable[[int, Exception], None] | None = None,
    ) -> None:
        self.awake: list[int] = []
        self.starts = self.awake_peak = 0
        self.handled: list[tuple[int, str]] = []
        self.letters: list[tuple[int, DeadLetter]] = []
        self.directory: Directory[int, str] = Directory(
            "sessions",
            lambda key: Session(key, self),
            mailbox_capacity=capacity,
            live_max=live_max,
            idle_after_s=idle_after_s,
            when_full=when_full,
            grace_s=5.0,
            budget=budget,
            backoff=Backoff(0.1, 1.0, 0.0),
            on_dead_letter=lambda key, letter: self.letters.append((key, letter)),
            on_given_up=on_given_up,
        )
        self.root = Supervisor("root", [Child("sessions", self.directory)])
