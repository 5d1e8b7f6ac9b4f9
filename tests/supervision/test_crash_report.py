"""Crash reports say what happened and what follows, and quote no message."""

from typing import Any

import pytest
import trio

from tests.supervision.handlers import Handler, one
from tests.supervision.stage import Player, every_seed, fails_with, mailbox, running
from trt.supervision import (
    Backoff,
    Budget,
    Child,
    Crashed,
    CrashReports,
    Ready,
    Restart,
    Restarting,
    RestartLimitExceeded,
    Started,
    StartFailed,
    Stopped,
    SupervisionEvent,
    Supervisor,
    Tree,
    Turn,
    crash_report,
)


@every_seed
async def test_a_report_shows_the_turn_the_mailbox_and_the_restart_and_no_content() -> None:
    async def crash(turn: Turn[Any]) -> None:
        if turn.message == "secret":
            raise ValueError(turn.message) from KeyError("secret")

    box = mailbox()
    heard: list[SupervisionEvent] = []
    async with running(one(box, Handler(crash)), heard):
        box.ref.tell_nowait("secret")
        box.ref.tell_nowait("next")
        await trio.sleep(5)
    reports: list[str] = []
    listener = CrashReports(reports.append)
    for event in heard:
        listener.hear(event)
    assert len(reports) == 3
    head = reports[1].splitlines()[:6]
    assert head == [
        "crash report: root/one",
        "  incarnation:  2, ready",
        "  reason:       ValueError",
        "  in hand:      str, attempt 2",
        "  mailbox:      1 waiting",
        "  next:         restart 2 of 9 within 60 s, in 0.2 s",
    ]
    assert "KeyError, most recent call last" in reports[1]
    assert "test_crash_report.py" in reports[1]
    assert not any("secret" in report for report in reports)


@every_seed
async def test_a_report_says_when_the_supervisor_gives_up_or_nothing_follows() -> None:
    log: list[str] = []
    last, passing = Player("last", log), Player("passing", log)
    root = Supervisor(
        "root",
        [Child("last", last), Child("passing", passing, restart=Restart.TEMPORARY)],
        budget=Budget(0, 5.0),
        backoff=Backoff(0.0, 0.0, 0.0),
    )
    reports: list[str] = []
    listener = CrashReports(reports.append)

    async def story() -> None:
        tree = Tree(root, listener.hear)
        async with trio.open_nursery() as nursery:
            await nursery.start(tree.run)
            passing.crash()
            await trio.sleep(1)
            last.crash()

    await fails_with(RestartLimitExceeded, story)
    listener.end()
    assert [(r.splitlines()[0], r.splitlines()[5]) for r in reports] == [
        ("crash report: root/passing", "  next:         no restart: it is temporary"),
        (
            "crash report: root/last",
            "  next:         root gives up: more than 0 restarts within 5 s",
        ),
        (
            "crash report: root",
            "  next:         no restart: its supervisor is starting or stopping",
        ),
    ]


@every_seed
async def test_a_failed_first_start_is_reported_too() -> None:
    bad = Player("bad", [], fails_to_start=lambda _: True)
    reports: list[str] = []
    listener = CrashReports(reports.append)
    tree = Tree(Supervisor("root", [Child("bad", bad)]), listener.hear)
    await fails_with(StartFailed, tree.run)
    assert reports[0].startswith("crash report: root/bad\n  incarnation:  1, not ready yet")


def test_a_group_of_errors_is_named_by_its_parts() -> None:
    group = ExceptionGroup("several", [ValueError("x"), KeyError("y")])
    report = crash_report(Crashed(path="p", error=group))
    assert "with ValueError" in report
    assert "with KeyError" in report


CRASH = Crashed(path="root/desk/one", error=ValueError(), incarnation=2, was_ready=True)


def next_of(*heard: SupervisionEvent) -> list[tuple[str, str]]:
    """Return which places crashed and what followed, in the order of the reports."""
    reports: list[str] = []
    listener = CrashReports(reports.append)
    for event in heard:
        listener.hear(event)
    return [
        (r.splitlines()[0].split()[-1], r.splitlines()[5].split(": ", 1)[1].strip())
        for r in reports
    ]


@pytest.mark.parametrize(
    "ended",
    [
        Stopped(path="root/desk"),
        Crashed(path="root/desk", error=ValueError(), incarnation=1),
        Started(path="root/desk/one", incarnation=1),
        Crashed(path="root/desk/one", error=KeyError(), incarnation=1),
    ],
)
def test_a_crash_that_nothing_follows_is_reported_when_its_parent_ends_or_it_begins_anew(
    ended: SupervisionEvent,
) -> None:
    others: list[SupervisionEvent] = [
        Stopped(path="root/desk/other"),
        Stopped(path="root/des"),
        Ready(path=CRASH.path),
    ]
    assert next_of(CRASH, *others) == []
    said = "no restart: its supervisor is starting or stopping"
    assert next_of(CRASH, *others, ended) == [(CRASH.path, said)]


def test_a_hook_that_fails_has_its_own_report_and_takes_none_from_the_crash_before_it() -> None:
    hook = Crashed(path=CRASH.path, error=KeyError())
    restarting = Restarting(path=CRASH.path, delay_s=0.1, restarts_in_window=1, restarts_max=3)
    assert next_of(CRASH, hook, restarting) == [
        (CRASH.path, "nothing: only the hook failed"),
        (CRASH.path, "restart 1 of 3 within 0 s, in 0.1 s"),
    ]
    assert "incarnation:  none, a hook was called in its name" in crash_report(hook)


@every_seed
async def test_a_crash_carries_the_correlation_id_of_the_message_in_hand() -> None:
    async def crash(_: Turn[Any]) -> None:
        raise ValueError

    box = mailbox()
    heard: list[SupervisionEvent] = []
    async with running(one(box, Handler(crash)), heard):
        box.ref.tell_nowait("a", cid="c1d2e3f4")
        await trio.sleep(5)
    crashes = [event for event in heard if isinstance(event, Crashed)]
    assert [crashed.cid for crashed in crashes] == ["c1d2e3f4"] * len(crashes)
    assert "in hand:      str, attempt 1, cid c1d2e3f4" in crash_report(crashes[0])
