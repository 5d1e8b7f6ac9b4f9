"""Findings as lines for an operator, worst things in sight."""

from collections import Counter
from collections.abc import Sequence

from trt.ops.finding import Finding, Verdict
from trt.ops.wording import count, table


def findings_page(findings: Sequence[Finding]) -> str:
    """Return one line for each finding, with its mend behind an arrow, and a sum at the end."""
    rows = [(str(found.verdict), found.check, _told(found)) for found in findings]
    number = Counter(found.verdict for found in findings)
    summary = ", ".join(
        (
            count(number[Verdict.FAIL], "failure"),
            count(number[Verdict.WARN], "warning"),
            f"{number[Verdict.OK]} ok",
        )
    )
    return f"{table(rows)}\n{summary}\n"


def is_well(findings: Sequence[Finding]) -> bool:
    """Whether nothing has to be acted on."""
    return all(found.verdict is not Verdict.FAIL for found in findings)


def _told(found: Finding) -> str:
    # One line, whatever a library put into its message.
    what = " ".join(found.what.split())
    return f"{what}  → {found.mend}" if found.mend else what
