"""The report of `trt bench runtime` as a table for people."""

from trt.bench.report import aligned
from trt.bench.runtime import Row, RuntimeReport

NOTES = """\
Rates are medians over rounds in which the contestants take turns in one process; the ratio is the
median of each round's. Memory is that of fresh processes.
tell            one sender, one actor, statistics on; bare: a memory channel read in batches of 64
ask             one after the other; bare: a fresh channel for each answer, within `fail_after`
all at once     keyed actors of a directory; bare: tasks of one nursery, cancelled together, which
                nobody can send to or stop alone; with a channel each, somebody can send
one by one      `start_child` until ready, `stop_child`; bare: `nursery.start`, cancel, join
again           from the crash to the first line of the next incarnation, no backoff
passivated      idle time passes sweep by sweep, on a clock that stands still otherwise. Python's
                allocator returns whole arenas only, so a process stays larger than what is in use;
                a second lot that needs no more than the first shows that nothing leaks"""


def runtime_table(report: RuntimeReport) -> str:
    """Return the report for a terminal."""
    rows: list[tuple[str, ...]] = [("", "ours", "", "the other", "ratio", "target", "")]
    rows += [_row(row) for row in report.rows]
    keyed = report.keyed
    erlang = f"Erlang: {report.erlang_why_not}\n" if report.erlang_why_not else ""
    started_s = keyed.alive.at_s - keyed.before.at_s
    passivated_s = keyed.after.at_s - keyed.alive.at_s
    return (
        f"trt bench runtime: {report.sizes.rounds} rounds\n\n{aligned(rows)}\n\n"
        f"{keyed.alive.actors} keyed actors: started in {started_s:.1f} s, "
        f"passivated in {passivated_s:.1f} s\n{erlang}\n{NOTES}\n"
    )


def _row(row: Row) -> tuple[str, ...]:
    verdict = {True: "reached", False: "MISSED", None: ""}[row.is_reached]
    return (
        row.what,
        _amount(row.ours, row.unit),
        row.beside,
        "" if row.other is None else _amount(row.other, row.unit),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        row.target,
        row.note or verdict,
    )


def _amount(value: float, unit: str) -> str:
    digits = 2 if unit == "ms" else 0
    return f"{value:,.{digits}f} {unit}".rstrip()
