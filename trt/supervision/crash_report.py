"""`crash_report`: a crash as a text for people, in the manner of OTP's crash reports."""

import traceback
from collections.abc import Callable
from typing import TypeAlias

from trt.supervision.errors import StartFailed
from trt.supervision.events import Crashed, GaveUp, Restarting, SupervisionEvent

Verdict: TypeAlias = Restarting | GaveUp | None

CAUSES_MAX = 8


def crash_report(crashed: Crashed, verdict: Verdict = None) -> str:
    """Return several lines on `crashed` and on what its supervisor does next.

    `verdict` is what the supervisor said, None if it said nothing. The texts of the errors are left
    out, for they may quote a message: types, files and lines are enough to find the place.
    """
    was = "ready" if crashed.was_ready else "not ready yet"
    lines = [
        f"crash report: {crashed.path}",
        f"  incarnation:  {crashed.incarnation}, {was}",
        f"  reason:       {type(crashed.error).__name__}",
        f"  in hand:      {_in_hand(crashed)}",
        f"  mailbox:      {crashed.mailbox_depth} waiting",
        f"  next:         {_next(crashed, verdict)}",
    ]
    return "\n".join([*lines, *_trace(crashed.error)])


class CrashReports:
    """A listener for a tree's events that writes one report for each crash."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._open: dict[str, Crashed] = {}

    def hear(self, event: SupervisionEvent) -> None:
        """Take one event; a report is written when it is known what follows from the crash."""
        match event:
            case Crashed(path=path, error=error):
                if isinstance(error, StartFailed):
                    self._close(error.path, None)
                self._open[path] = event
                if not event.is_restarted:
                    self._close(path, None)
            case Restarting(path=path):
                self._close(path, event)
            case GaveUp(child=child):
                self._close(child, event)
            case _:
                pass

    def end(self) -> None:
        """Write what is still open, at the end of the tree."""
        for path in tuple(self._open):
            self._close(path, None)

    def _close(self, path: str, verdict: Verdict) -> None:
        crashed = self._open.pop(path, None)
        if crashed is not None:
            self._write(crash_report(crashed, verdict))


def _in_hand(crashed: Crashed) -> str:
    if crashed.message_type is None:
        return "nothing"
    return f"{crashed.message_type}, attempt {crashed.attempt}"


def _next(crashed: Crashed, verdict: Verdict) -> str:
    match verdict:
        case Restarting(restarts_in_window=n, restarts_max=n_max, within_s=s, delay_s=delay_s):
            return f"restart {n} of {n_max} within {s:g} s, in {delay_s:.3g} s"
        case GaveUp(path=path, restarts_max=n_max, within_s=s):
            return f"{path} gives up: more than {n_max} restarts within {s:g} s"
        case None if crashed.is_restarted:
            return "no restart: its supervisor is starting or stopping"
        case None:
            return "no restart: it is temporary"


def _trace(error: BaseException) -> list[str]:
    lines: list[str] = []
    link: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if link is None:
            break
        lines.append(f"  {type(link).__name__}, most recent call last:")
        frames = traceback.extract_tb(link.__traceback__)
        lines += [f"    {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        if isinstance(link, BaseExceptionGroup):
            lines += [f"    with {type(part).__name__}" for part in link.exceptions]
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return lines
