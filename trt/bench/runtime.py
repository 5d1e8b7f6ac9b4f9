"""`trt bench runtime`: our actors beside bare trio, pykka, thespian and Erlang, in one run."""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import msgspec
from attrs import frozen

from trt.bench.children import RECEIVE_BYTES, ChildFailed, child, last_words
from trt.bench.runtime_child import Order
from trt.bench.runtime_erlang import erlang
from trt.bench.runtime_keyed import Passivation

T = TypeVar("T")

NOT_INSTALLED = "not installed: pip install trt[bench]"

TELL_RATIO_MIN = 0.7
SPAWN_RATIO_MIN = 0.5
MEMORY_RATIO_MAX = 1.5
RESTART_S_MAX = 0.001
KEPT_RATIO_MAX = 0.05


@frozen(kw_only=True)
class Sizes:
    """How much of each is done in a round, and how many rounds there are."""

    tells: int = 200_000
    asks: int = 10_000
    spawns: int = 2_000
    restarts: int = 1_000
    resting: int = 20_000
    keyed: int = 100_000
    rounds: int = 7


QUICK = Sizes(
    tells=20_000, asks=1_000, spawns=200, restarts=100, resting=2_000, keyed=5_000, rounds=3
)


@frozen(kw_only=True)
class Row:
    """One comparison."""

    what: str
    unit: str
    ours: float
    beside: str
    other: float | None
    """None: it is not installed."""
    ratio: float | None
    """Ours / other, the median over the rounds."""
    target: str
    """Empty: shown without one."""
    is_reached: bool | None
    note: str = ""


@frozen(kw_only=True)
class RuntimeReport:
    """What came of the bench."""

    sizes: Sizes
    rows: Sequence[Row]
    keyed: Passivation
    erlang_why_not: str
    """Why there are no figures of Erlang; empty if there are."""


@frozen(kw_only=True)
class _Contest:
    """What is measured in turn in one process: ours first, then each of the others."""

    what: str
    unit: str
    measure: str
    count: int
    others: Mapping[str, float | None]
    """Whom it stands beside, and the least ratio of ours to theirs; None, no target."""


@frozen(kw_only=True)
class RuntimeBench:
    """The bench; `run` is all of it."""

    folder: Path
    """An empty one for a script and what the children say."""
    sizes: Sizes

    async def run(self) -> RuntimeReport:
        """Measure everything, one process after the other.

        Raises:
            ChildFailed: A process ended without a result.
        """
        sizes = self.sizes
        found = erlang(self.folder, tells=sizes.tells, asks=sizes.asks, spawns=sizes.spawns)
        erlangs = found.figures
        rows: list[Row] = []
        for contest in _contests(sizes):
            rows += await self._contest(contest, erlangs)
        rows += await self._memory(erlangs)
        rows.append(await self._restart())
        passed = await self._asked("trt.bench.runtime_keyed", sizes.keyed, Passivation)
        rows += _keyed_rows(passed)
        return RuntimeReport(sizes=sizes, rows=rows, keyed=passed, erlang_why_not=found.why_not)

    async def _contest(self, contest: _Contest, erlangs: Mapping[str, float]) -> list[Row]:
        others = {name: f"{contest.measure} {name}" for name in contest.others if _is_here(name)}
        found = await self._measured(
            [contest.measure, *others.values()], contest.count, self.sizes.rounds
        )
        ours = found[contest.measure]
        rows = []
        for name, ratio_min in contest.others.items():
            theirs = found[others[name]] if name in others else None
            ratio = None if theirs is None else _ratio(ours, theirs)
            rows.append(
                Row(
                    what=contest.what,
                    unit=contest.unit,
                    ours=median(ours),
                    beside=_TITLES[name],
                    other=None if theirs is None else median(theirs),
                    ratio=ratio,
                    target="" if ratio_min is None else f">= {ratio_min:g}",
                    is_reached=None if ratio is None or ratio_min is None else ratio >= ratio_min,
                    note=NOT_INSTALLED if theirs is None else "",
                )
            )
        return rows + _erlang_row(erlangs, contest.measure, rows[0])

    async def _memory(self, erlangs: Mapping[str, float]) -> list[Row]:
        """Fresh processes: memory that one has freed would be taken by the other."""
        measured = {"rest": 0.0, "rest bare": 0.0}
        for measure in measured:
            found = await self._measured([measure], self.sizes.resting, 1)
            measured[measure] = found[measure][0]
        ratio = measured["rest"] / measured["rest bare"]
        row = Row(
            what="memory per idle actor",
            unit="B",
            ours=measured["rest"],
            beside="bare task with a channel",
            other=measured["rest bare"],
            ratio=ratio,
            target=f"<= {MEMORY_RATIO_MAX:g}",
            is_reached=ratio <= MEMORY_RATIO_MAX,
        )
        return [row, *_erlang_row(erlangs, "rest", row)]

    async def _restart(self) -> Row:
        found = await self._measured(["restart"], self.sizes.restarts, self.sizes.rounds)
        took_s = median(found["restart"])
        return _absolute("crash to running again", "ms", took_s * 1e3, RESTART_S_MAX * 1e3)

    async def _measured(
        self, measures: Sequence[str], count: int, rounds: int
    ) -> dict[str, list[float]]:
        order = Order(measures=measures, count=count, rounds=rounds)
        return await self._asked("trt.bench.runtime_child", order, dict[str, list[float]])

    async def _asked(self, module: str, order: Any, kind: type[T]) -> T:
        said = self.folder / "children.log"
        environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        async with child([module], said, environment=environment) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            await process.stdin.send_all(msgspec.json.encode(order))
            await process.stdin.aclose()
            answer = b""
            while arrived := await process.stdout.receive_some(RECEIVE_BYTES):
                answer += arrived
        if not answer:
            raise ChildFailed(f"{module} failed:\n{last_words(said)}")
        return msgspec.json.decode(answer, type=kind)


_TITLES = {
    "bare": "bare trio",
    "bare channels": "bare trio, a channel each",
    "pykka": "pykka",
    "thespian": "thespian",
}


def _is_here(other: str) -> bool:
    return other.startswith("bare") or find_spec(other) is not None


def _contests(sizes: Sizes) -> list[_Contest]:
    return [
        _Contest(
            what="tell",
            unit="/s",
            measure="tell",
            count=sizes.tells,
            others={"bare": TELL_RATIO_MIN, "pykka": 1.0, "thespian": 1.0},
        ),
        _Contest(
            what="ask with a deadline",
            unit="/s",
            measure="ask",
            count=sizes.asks,
            others={"bare": None, "pykka": 1.0, "thespian": None},
        ),
        _Contest(
            what="spawn and stop, all at once",
            unit="/s",
            measure="spawn_many",
            count=sizes.spawns,
            others={"bare": SPAWN_RATIO_MIN, "bare channels": None},
        ),
        _Contest(
            what="spawn and stop, one by one",
            unit="/s",
            measure="spawn_each",
            count=sizes.spawns,
            others={"bare": SPAWN_RATIO_MIN, "pykka": None},
        ),
    ]


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return median(our / their for our, their in zip(ours, theirs, strict=True))


def _erlang_row(erlangs: Mapping[str, float], measure: str, like: Row) -> list[Row]:
    if measure not in erlangs:
        return []
    return [
        Row(
            what=like.what,
            unit=like.unit,
            ours=like.ours,
            beside="Erlang gen_server",
            other=erlangs[measure],
            ratio=like.ours / erlangs[measure],
            target="",
            is_reached=None,
        )
    ]


def _absolute(what: str, unit: str, ours: float, most: float, note: str = "") -> Row:
    return Row(
        what=what,
        unit=unit,
        ours=ours,
        beside="",
        other=None,
        ratio=None,
        target=f"<= {most:g}",
        is_reached=ours <= most,
        note=note,
    )


def _keyed_rows(passed: Passivation) -> list[Row]:
    """The process itself is back when a second lot finds room where the first one was."""
    before, alive, after, again = passed.before, passed.alive, passed.after, passed.alive_again
    left = after.actors + after.tasks - before.tasks
    taken = alive.resident - before.resident
    return [
        _absolute(f"{alive.actors} keyed actors passivated: left", "", left, 0),
        _share(
            "  blocks still in use", "", after.blocks - before.blocks, alive.blocks - before.blocks
        ),
        _share("  RSS that as many again need", "MiB", again.resident - alive.resident, taken),
        _share(
            "  RSS that the allocator keeps", "MiB", after.resident - before.resident, taken, ""
        ),
    ]


def _share(
    what: str, unit: str, kept: int, taken: int, target: str = f"<= {KEPT_RATIO_MAX:g}"
) -> Row:
    scale = 2**20 if unit == "MiB" else 1
    return Row(
        what=what,
        unit=unit,
        ours=kept / scale,
        beside="while alive",
        other=taken / scale,
        ratio=kept / taken,
        target=target,
        is_reached=kept / taken <= KEPT_RATIO_MAX if target else None,
    )
