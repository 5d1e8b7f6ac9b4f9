"""`crash_report`: a crash as a text for people, in the manner of OTP's crash reports."""

from collections.abc import Callable
from typing import TypeAlias

from trt.supervision.errors import StartFailed
from trt.supervision.events import (
    Crashed,
    GaveUp,
    Restarting,
    Started,
    Stopped,
    SupervisionEvent,
)
from trt.supervision.trace import trace_lines

Verdict: TypeAlias = Restarting | GaveUp | None


def crash_report(crashed: Crashed, verdict: Verdict = None) -> str:
    """Return several lines on `crashed` and on what its supervisor does next.

    `verdict` is what the supervisor said, None if it said nothing. The texts of the errors are left
    out, for they may quote a message: types, files and lines are enough to find the place.
    """
    lines = [
        f"crash report: {crashed.path}",
        f"  incarnation:  {_incarnation(crashed)}",
        f"  reason:       {type(crashed.error).__name__}",
        f"  in hand:      {_in_hand(crashed)}",
        f"  mailbox:      {crashed.mailbox_depth} waiting",
        f"  next:         {_next(crashed, verdict)}",
    ]
    return "\n".join([*lines, *trace_lines(crashed.error)])


class CrashVerdicts:
    """A listener for a tree's events that tells each crash once it is known what follows."""

    def __init__(self, tell: Callable[[Crashed, Verdict], None]) -> None:
        self._tell = tell
        self._open: dict[str, Crashed] = {}

    def hear(self, event: SupervisionEvent) -> None:
        """Take one event; a crash is told at the latest when the parent has ended."""
        match event:
            case Crashed(incarnation=0):
                self._tell(event, None)
            case Crashed(path=path, error=error):
                if isinstance(error, StartFailed):
                    self._close(error.path, None)
                self._close_below(path)
                self._close(path, None)
                self._open[path] = event
                if not event.is_restarted:
                    self._close(path, None)
            case Restarting(path=path):
                self._close(path, event)
            case GaveUp(child=child):
                self._close(child, event)
            case Started(path=path):
                self._close(path, None)
            case Stopped(path=path):
                self._close_below(path)
            case _:
                pass

    def end(self) -> None:
        """Tell what is still open, at the end of the tree."""
        for path in tuple(self._open):
            self._close(path, None)

    def _close_below(self, parent: str) -> None:
        for path in tuple(self._open):
            if path.startswith(f"{parent}/"):
                self._close(path, None)

    def _close(self, path: str, verdict: Verdict) -> None:
        crashed = self._open.pop(path, None)
        if crashed is not None:
            self._tell(crashed, verdict)


class CrashReports:
    """A listener for a tree's events that writes one report for each crash."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._verdicts = CrashVerdicts(
            lambda crashed, verdict: write(crash_report(crashed, verdict))
        )

    def hear(self, event: SupervisionEvent) -> None:
        """Take one event; a report is written when it is known what follows from the crash."""
        self._verdicts.hear(event)

    def end(self) -> None:
        """Write what is still open, at the end of the tree."""
        self._verdicts.end()


def _incarnation(crashed: Crashed) -> str:
    if crashed.incarnation == 0:
        return "none, a hook was called in its name"
    return f"{crashed.incarnation}, {'ready' if crashed.was_ready else 'not ready yet'}"


def _in_hand(crashed: Crashed) -> str:
    if crashed.message_type is None:
        return "nothing"
    about = "" if crashed.cid is None else f", cid {crashed.cid}"
    return f"{crashed.message_type}, attempt {crashed.attempt}{about}"


def _next(crashed: Crashed, verdict: Verdict) -> str:
    match verdict:
        case Restarting(restarts_in_window=n, restarts_max=n_max, within_s=s, delay_s=delay_s):
            return f"restart {n} of {n_max} within {s:g} s, in {delay_s:.3g} s"
        case GaveUp(path=path, restarts_max=n_max, within_s=s):
            return f"{path} gives up: more than {n_max} restarts within {s:g} s"
        case None if crashed.incarnation == 0:
            return "nothing: only the hook failed"
        case None if crashed.is_restarted:
            return "no restart: its supervisor is starting or stopping"
        case None:
            return "no restart: it is temporary"
