"""The report of `trt bench failover` as a table for people."""

from collections.abc import Sequence

from trt.bench.failover import FailoverReport, StrikeReport
from trt.bench.failover_rounds import Round
from trt.bench.report import aligned

NOTES = """\
Two `trt run` processes share the database; a balancer posts in turn to both, again until a 200.
gap    the longest time without a handled update around the strike, by both logs
lost   acknowledged updates and orders that were not handled, or only partly
twice  updates and orders with more effects than one handling has
late   acknowledged taps whose answer took longer than a second
old    rows that the old holder wrote after it was relieved"""

HEAD = ("", "rounds", "p50 ms", "p95 ms", "max ms", "target", "lost", "twice", "late", "old")


def failover_table(report: FailoverReport) -> str:
    """Return the failover report for a terminal."""
    rows = [(*HEAD, "books", ""), *(_row(one) for one in report.strikes)]
    problems = [
        f"  {one.strike}, round {number}: {problem}"
        for one in report.strikes
        for number, played in enumerate(one.rounds, 1)
        for problem in (*played.problems, *played.accounts.late)
    ]
    seen = "\n".join(["", "What should not be:", *problems, ""]) if problems else ""
    return (
        f"trt bench failover: {report.engine}, {report.rate_per_s:g} updates/s\n\n"
        f"{aligned(rows)}\n{seen}\n{NOTES}\n"
    )


def round_line(played: Round) -> str:
    """Return one line about a round that has just ended."""
    return (
        f"{played.strike}: gap {_ms(played.gap_s)} ms, taken over after {_ms(played.taken_s)} ms"
        f" ({played.why}), {played.accounts.updates} updates"
        + "".join(f"\n  {problem}" for problem in (*played.problems, *played.accounts.late))
    )


def _row(one: StrikeReport) -> tuple[str, ...]:
    accounts = [played.accounts for played in one.rounds]
    p50_target = "" if one.target_p50_s is None else f"{_ms(one.target_p50_s)}/"
    return (
        one.strike,
        str(len(one.rounds)),
        _ms(one.p50_s),
        _ms(one.p95_s),
        _ms(one.max_s),
        f"{p50_target}{_ms(one.target_s)}",
        str(sum(each.lost for each in accounts)),
        str(sum(each.twice for each in accounts)),
        str(sum(each.late_callbacks for each in accounts)),
        str(sum(played.late_commits for played in one.rounds)),
        _books(one.rounds),
        "reached" if one.is_met else "MISSED",
    )


def _books(rounds: Sequence[Round]) -> str:
    return "balanced" if all(one.accounts.is_balanced for one in rounds) else "WRONG"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f}"
