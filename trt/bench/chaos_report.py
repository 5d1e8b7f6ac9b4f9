"""The report of `trt bench chaos` as a table for people."""

from trt.bench.chaos import ChaosReport
from trt.bench.report import aligned

NOTES = """\
Two `trt run` processes share the database; Telegram and KIE are pretended, in the process of the
bench, which outlives them. Each person is new and orders one picture.
takeovers  beyond the kills of the active instance: it was too slow to renew its lease, as on a
           machine that is busy with other things
twice      a message that the outbox does not know of: the answer to its send was lost, or its
           sender was killed or relieved before it could write it down
orphan     a generation at KIE that no job took: only where the fate of createTask was unknown and
           its callback did not come in time"""


def chaos_table(report: ChaosReport) -> str:
    """Return the chaos report for a terminal."""
    verdict, plan = report.verdict, report.plan
    rows = [
        ("kills", str(report.kills)),
        ("  of the active instance", str(report.kills_of_holders)),
        ("starts of instances", str(report.starts)),
        ("takeovers", str(report.takeovers)),
        *((f"{what}", str(number)) for what, number in report.misfortunes.items()),
        ("jobs", str(verdict.jobs)),
        ("  delivered and charged once", str(verdict.delivered)),
        ("  refunded once", str(verdict.refunded)),
        *((f"    {why}", str(number)) for why, number in sorted(verdict.refund_reasons.items())),
        ("  handed over after the refund", str(verdict.came_late)),
        ("generations at KIE", str(verdict.tasks)),
        ("  orphans", str(verdict.orphans)),
        ("messages in chats", str(verdict.messages)),
        ("  twice, answer lost", str(verdict.twice_lost)),
        ("  twice, sender killed", str(verdict.twice_killed)),
        ("  twice, sender relieved", str(verdict.twice_relieved)),
        ("  sends that we call uncertain", str(verdict.sends_ambiguous)),
        ("    told of in the diary", str(verdict.told_ambiguous)),
        ("results in chats", str(verdict.results)),
        ("  twice", str(verdict.results_twice)),
        ("updates handled", str(verdict.updates)),
        ("taps", str(verdict.taps)),
        ("  answered too late to be seen", str(verdict.taps_late)),
    ]
    seen = [f"  {problem}" for problem in report.problems]
    found = "\n".join(["What should not be:", *seen]) if seen else "Nothing that should not be."
    return (
        f"trt bench chaos: {report.engine}, {plan.jobs} jobs, {plan.kills} kills, seed {plan.seed},"
        f" {report.took_s:.0f} s\n\n{aligned(rows)}\n\n{found}\n\n{NOTES}\n"
    )
