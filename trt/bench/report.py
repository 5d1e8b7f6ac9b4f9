"""The reports of the benches as tables for people; machines get the same figures as JSON."""

from collections.abc import Iterable, Sequence

from trt.bench.flow import FlowReport
from trt.bench.ingest import IngestReport
from trt.bench.jobs import JobsReport
from trt.bench.load import LoadResult
from trt.kie.poll_pacer import KIE_POLLS_MAX

INGEST_NOTES = """\
bare       hypercorn on trio and an ASGI function that reads the body and answers 200
accepting  `trt run` while another instance leads: each update is checked, committed (SQLite, full
           sync) and acknowledged, and stays in the inbox; this is what the ratio is about
working    `trt run` alone: the same process also handles every /start and queues the menu
N/s        open loop at that rate; a latency counts from when the request was due"""

FLOW_NOTES = """\
Each update is a /start: posted, committed, handled, its menu sent to a Bot API that answers at
once, and marked as sent. Telegram's rates are lifted on both sides. The shares come from a second
run under cProfile, in CPU time of each thread."""


JOBS_NOTES = """\
Each job is at KIE already and never ends there: it is polled as its age says, all of them together
within what the pacer allows, which is what limits many young jobs. The figures are those of the
service process, less those of one without any job."""


def ingest_table(report: IngestReport) -> str:
    """Return the ingest report for a terminal."""
    rows: list[Sequence[str]] = [("", "updates", "per s", "p50 ms", "p99 ms", "refused")]
    for number, one in enumerate(report.rounds, 1):
        rows += [
            _load_row(f"{number} bare", one.bare),
            _load_row(f"{number} accepting", one.accepting),
            _load_row(f"{number} working", one.working),
        ]
    pace = f"{report.paced_rate_per_s:g}/s"
    rows.append(_load_row(f"{pace} accepting", report.paced_accepting))
    rows.append(_load_row(f"{pace} working", report.paced_working))
    verdict = "reached" if report.ratio_accepting >= report.ratio_target else "MISSED"
    return (
        f"trt bench ingest: {report.connections} keep-alive connections\n\n{aligned(rows)}\n\n"
        f"accepting / bare   {report.ratio_accepting:.2f}   "
        f"(median; target {report.ratio_target:g}: {verdict})\n"
        f"working / bare     {report.ratio_working:.2f}   (median)\n"
        f"acknowledged {report.acknowledged}, rows in the inboxes {report.inbox_rows}\n\n"
        f"{INGEST_NOTES}\n"
    )


def flow_table(report: FlowReport) -> str:
    """Return the flow report for a terminal."""
    rows = [
        ("updates", str(report.updates)),
        ("menus delivered", str(report.menus_delivered)),
        ("updates per s", f"{report.rate_per_s:.0f}"),
        ("CPU per update", f"{report.cpu_s_per_update * 1e3:.2f} ms"),
        ("memory, peak", f"{report.rss_mib_peak:.0f} MiB"),
        ("CPU per update, profiled", f"{report.profiled_cpu_s_per_update * 1e3:.2f} ms"),
        *((f"  {part}", f"{share:.1%}") for part, share in report.profiled_shares.items()),
    ]
    return (
        f"trt bench flow: {report.connections} keep-alive connections\n\n{aligned(rows)}\n\n"
        f"{FLOW_NOTES}\n"
    )


def jobs_table(report: JobsReport) -> str:
    """Return the jobs report for a terminal."""
    rows = [
        ("memory per job", f"{report.rss_kib_per_job:.1f} KiB"),
        ("polls per s", f"{report.polls_per_s:.1f}"),
        ("  in the busiest second", str(report.polls_per_s_max)),
        ("  our own limit", f"{report.polls_allowed_per_s:g}"),
        ("  for one task, in the busiest second", str(report.task_polls_per_s_max)),
        ("  KIE allows for one task", f"{KIE_POLLS_MAX:g}"),
        ("CPU per poll", f"{report.cpu_ms_per_poll:.2f} ms"),
        ("CPU in all", f"{report.cpu_percent:.1f} % of one processor"),
    ]
    return (
        f"trt bench jobs: {report.jobs} jobs in flight, watched for {report.seconds:g} s\n\n"
        f"{aligned(rows)}\n\n{JOBS_NOTES}\n"
    )


def _load_row(name: str, load: LoadResult) -> tuple[str, ...]:
    return (
        name,
        str(load.acknowledged),
        f"{load.rate_per_s:.0f}",
        f"{load.p50_s * 1e3:.1f}",
        f"{load.p99_s * 1e3:.1f}",
        str(load.refused + load.cut),
    )


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells: Iterable[str] = (
        cell.ljust(width) if index == 0 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()
