"""Random trees under random misfortune do what the small model says they do."""

from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Any

import trio
from attrs import define, field, frozen
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.supervision.model import Group, Leaf, Node
from tests.supervision.scale import IS_SHRINKING, PROGRAMS
from tests.supervision.stage import Player, deterministic, play_once
from trt.supervision import (
    AutoShutdown,
    Backoff,
    Budget,
    Child,
    Restart,
    RestartLimitExceeded,
    Strategy,
    Supervisor,
    Tree,
)

# A deed is settled long before the next one, and no deed lies near the edge of a window.
DEED_EVERY_S = 10.0
WITHIN_S = 25.0
BACKOFF = Backoff(0.125, 0.125, 0.0)
GRACE_S = 0.03


class Deed(Enum):
    """What can happen to a child."""

    CRASH = auto()
    RETURN = auto()
    HANG = auto()  # its next stop takes longer than its grace
    FAIL_NEXT_START = auto()
    CRASH_AND_FAIL_TO_RESTART = auto()
    STOP_BY_HAND = auto()
    RESTART_BY_HAND = auto()


@frozen
class Shape:
    """What a node is declared with; a leaf has no children."""

    restart: Restart
    is_significant: bool
    strategy: Strategy
    auto_shutdown: AutoShutdown
    restarts_max: int
    children: tuple["Shape", ...] = ()


def shapes(children: st.SearchStrategy[tuple[Shape, ...]]) -> st.SearchStrategy[Shape]:
    return st.builds(
        Shape,
        restart=st.sampled_from(Restart),
        is_significant=st.booleans(),
        strategy=st.sampled_from(Strategy),
        auto_shutdown=st.sampled_from(AutoShutdown),
        restarts_max=st.integers(0, 3),
        children=children,
    )


leaves = shapes(st.just(()))
groups = shapes(st.lists(leaves, min_size=1, max_size=3).map(tuple))
roots = shapes(st.lists(leaves | groups, min_size=1, max_size=4).map(tuple))
programs = st.lists(
    st.tuples(st.sampled_from(Deed), st.integers(0, 99), st.integers(1, 3)), max_size=12
)


@define
class Stage:
    """One tree twice: played by the runtime, and told by the model."""

    shape: Shape
    log: list[str] = field(factory=list)
    told: list[str] = field(factory=list)
    players: dict[str, Player] = field(factory=dict)
    supervisors: dict[str, Supervisor] = field(factory=dict)
    nodes: dict[str, Node] = field(factory=dict)
    parents: dict[str, Group] = field(factory=dict)

    def build(self) -> tuple[Supervisor, Group]:
        top = self._group("r", self.shape, None)
        return self.supervisors["r"], top

    def _group(self, name: str, shape: Shape, parent: Group | None) -> Group:
        group = Group(
            name,
            shape.restart,
            self._is_significant(shape, parent),
            shape.strategy,
            shape.auto_shutdown,
            shape.restarts_max,
            WITHIN_S,
            parent=parent,
        )
        self.nodes[name] = group
        children = []
        for number, part in enumerate(shape.children):
            child_name = f"{name}{number}"
            self.parents[child_name] = group
            actor: Any
            node: Node
            if part.children:
                node = self._group(child_name, part, group)
                actor = self.supervisors[child_name]
            else:
                node, actor = self._leaf(child_name, part, group)
            group.children.append(node)
            children.append(
                Child(
                    child_name,
                    actor,
                    restart=part.restart,
                    is_significant=node.is_significant,
                    grace_s=None if part.children else GRACE_S,
                )
            )
        self.supervisors[name] = Supervisor(
            name,
            children,
            strategy=shape.strategy,
            auto_shutdown=shape.auto_shutdown,
            budget=Budget(shape.restarts_max, WITHIN_S),
            backoff=BACKOFF,
        )
        return group

    def _leaf(self, name: str, shape: Shape, group: Group) -> tuple[Leaf, Player]:
        leaf = Leaf(name, shape.restart, self._is_significant(shape, group), self.told)
        player = Player(name, self.log)
        self.nodes[name], self.players[name] = leaf, player
        return leaf, player

    @staticmethod
    def _is_significant(shape: Shape, parent: Group | None) -> bool:
        may_be = parent is not None and parent.auto_shutdown is not AutoShutdown.NEVER
        return may_be and shape.is_significant and shape.restart is not Restart.PERMANENT

    # Deeds

    async def do(self, deed: Deed, name: str, times: int) -> None:
        node, parent = self.nodes[name], self.parents[name]
        now = trio.current_time()
        match deed:
            case Deed.STOP_BY_HAND:
                parent.stop_by_hand(node)
                await self.supervisors[parent.name].stop_child(name)
            case Deed.RESTART_BY_HAND:
                parent.restart_by_hand(node)
                await self._restart_by_hand(parent.name, name)
            case _ if isinstance(node, Leaf):
                self._do_to_leaf(deed, node, times, now)
            case _:
                pass

    async def _restart_by_hand(self, supervisor: str, name: str) -> None:
        try:
            await self.supervisors[supervisor].restart_child(name)
        except Exception as error:  # noqa: BLE001
            assert type(error).__name__ == "StartFailed"  # noqa: PT017

    def _do_to_leaf(self, deed: Deed, leaf: Leaf, times: int, now: float) -> None:
        player, parent = self.players[leaf.name], self.parents[leaf.name]
        if deed in {Deed.FAIL_NEXT_START, Deed.CRASH_AND_FAIL_TO_RESTART}:
            leaf.failing_starts = times
            failing = countdown(times)
            player.fails_to_start = lambda _: next(failing)
        if not leaf.is_up or deed is Deed.FAIL_NEXT_START:
            return
        if deed is Deed.HANG:
            player.stop_s = 999.0
            return
        leaf.stop()
        if deed is Deed.RETURN:
            player.finish()
            parent.hears_of_return(leaf, now)
        else:
            player.crash()
            parent.hears_of_crash(leaf, now)


def countdown(times: int) -> Iterator[bool]:
    for _ in range(times):
        yield True
    while True:
        yield False


async def play(shape: Shape, program: list[tuple[Deed, int, int]]) -> None:
    stage = Stage(shape)
    root, model = stage.build()
    names = list(stage.parents)
    tree = Tree(root, lambda _: None)
    has_given_up = False

    async def run(task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128 - the tree tells
        nonlocal has_given_up
        try:
            await tree.run(task_status=task_status)
        except RestartLimitExceeded:
            has_given_up = True

    async with trio.open_nursery() as nursery:
        model.start()
        await nursery.start(run)
        assert stage.log == stage.told
        for deed, pick, times in program:
            if not model.is_up:
                break
            name = names[pick % len(names)]
            await stage.do(deed, name, times)
            await trio.sleep(DEED_EVERY_S)
            assert stage.log == stage.told, f"after {deed.name} of {name}"
        assert has_given_up == model.has_given_up
        model.stop()
        tree.request_stop()
    assert stage.log == stage.told


@settings(
    max_examples=PROGRAMS,
    deadline=None,
    phases=tuple(Phase) if IS_SHRINKING else (Phase.generate,),
    derandomize=PROGRAMS <= 1_000,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(roots, programs, st.integers(0, 2**32))
def test_any_tree_under_any_misfortune_does_what_the_model_says(
    shape: Shape, program: list[tuple[Deed, int, int]], seed: int
) -> None:
    async def story() -> None:
        await play(shape, program)

    told: Callable[[], Any] = story
    with deterministic():
        play_once(told, seed)
