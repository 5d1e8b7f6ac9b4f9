"""The rules of supervision once more, as small as they can be said: no tasks, no clock, no waits.

Time is a number that the caller passes in. What a deed leads to is settled before the next one.
"""

from typing import TypeAlias

from attrs import define, field

from trt.supervision import AutoShutdown, Restart, Strategy


@define(eq=False)
class Leaf:
    """A child that logs its start and its end."""

    name: str
    restart: Restart
    is_significant: bool
    log: list[str]
    failing_starts: int = 0
    is_up: bool = False

    def start(self) -> bool:
        """Start; return whether it became ready."""
        self.log.append(f"+{self.name}")
        self.is_up = self.failing_starts == 0
        if not self.is_up:
            self.failing_starts -= 1
            self.log.append(f"-{self.name}")
        return self.is_up

    def stop(self) -> None:
        """Stop, if it runs."""
        if self.is_up:
            self.is_up = False
            self.log.append(f"-{self.name}")


@define(eq=False)
class Group:
    """A supervisor."""

    name: str
    restart: Restart
    is_significant: bool
    strategy: Strategy
    auto_shutdown: AutoShutdown
    restarts_max: int
    within_s: float
    children: list["Node"] = field(factory=list)
    parent: "Group | None" = None
    is_up: bool = False
    has_given_up: bool = False
    resting: list["Node"] = field(factory=list)
    restarts_at: list[float] = field(factory=list)

    def start(self) -> bool:
        """Start the children in order; a failure stops those before it and is the group's own."""
        self.resting, self.restarts_at = [], []
        for child in self.children:
            if not child.start():
                self.stop()
                return False
        self.is_up = True
        return True

    def stop(self) -> None:
        """Stop the children in reverse."""
        self.is_up = False
        for child in reversed(self.children):
            child.stop()

    def hears_of_crash(self, child: "Node", now: float) -> None:
        """Deal with a child that ended with an error."""
        if child.restart is Restart.TEMPORARY:
            self._rests(child, now)
        else:
            self._restarts(child, now)

    def hears_of_return(self, child: "Node", now: float) -> None:
        """Deal with a child that ended without one."""
        if child.restart is Restart.PERMANENT:
            self._restarts(child, now)
        else:
            self._rests(child, now)

    def stop_by_hand(self, child: "Node") -> None:
        """Stop a child until somebody starts it by hand."""
        if self.is_up:
            child.stop()
            if child not in self.resting:
                self.resting.append(child)

    def restart_by_hand(self, child: "Node") -> None:
        """Start a child that rests; one that fails to start rests on."""
        if self.is_up and child in self.resting and child.start():
            self.resting.remove(child)

    def _rests(self, child: "Node", now: float) -> None:
        self.resting.append(child)
        if not child.is_significant:
            return
        others = [c for c in self.children if c.is_significant and c not in self.resting]
        if self.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT or (
            self.auto_shutdown is AutoShutdown.ALL_SIGNIFICANT and not others
        ):
            self.stop()
            if self.parent is not None:
                self.parent.hears_of_return(self, now)

    def _restarts(self, child: "Node", now: float) -> None:
        failed: Node | None = child
        while failed is not None:
            self.restarts_at = [at for at in self.restarts_at if at >= now - self.within_s] + [now]
            if len(self.restarts_at) > self.restarts_max:
                self._gives_up(now)
                return
            group = self._affected(failed)
            for sibling in reversed(group):
                sibling.stop()
            fated = [c for c in group if c is not failed and c.restart is Restart.TEMPORARY]
            self.resting += fated
            failed = next((c for c in group if c not in fated and not c.start()), None)

    def _affected(self, failed: "Node") -> list["Node"]:
        place = self.children.index(failed)
        group = {
            Strategy.ONE_FOR_ONE: [failed],
            Strategy.REST_FOR_ONE: self.children[place:],
            Strategy.ONE_FOR_ALL: self.children,
        }[self.strategy]
        return [child for child in group if child not in self.resting]

    def _gives_up(self, now: float) -> None:
        self.stop()
        if self.parent is None:
            self.has_given_up = True
        else:
            self.parent.hears_of_crash(self, now)


Node: TypeAlias = Leaf | Group
