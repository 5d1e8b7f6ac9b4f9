"""What the runtime reports becomes events: a crash is told at once, and again with its places."""

import re

import trio
from attrs import field, frozen

from tests.conftest import LogOfTest
from trt.actors.tree_events import TreeEvents
from trt.supervision import Budget, Child, Context, Mailbox, RestartLimitExceeded, Supervisor, Tree
from trt.telemetry.events import Event, EventName
from trt.telemetry.stream import EventStream
from trt.testing.virtual_time import VirtualSources

PROMPT = "canary-prompt a red fox"
ONCE_MORE, NEVER = Budget(1, 60.0), Budget(0, 60.0)


@frozen
class Draw:
    prompt: str = field(repr=False)


class Painter:
    """Crashes with each message, and quotes it."""

    async def run(self, ctx: Context[Draw]) -> None:
        async for turn in ctx.turns():
            quoted = turn.message.prompt
            raise ValueError(f"cannot draw {quoted}") from KeyError(quoted)


class Patron:
    """Crashes with the trouble of those below it."""

    def __init__(self, below: Supervisor) -> None:
        self._below = below

    async def run(self, ctx: Context[None]) -> None:
        ctx.ready()
        await ctx.run_subtree(self._below, until=trio.sleep_forever)


async def told_of(root: Supervisor) -> list[Event]:
    """Run a tree until it gives up, or for a minute; return what was told in all."""
    told: list[Event] = []
    listener = TreeEvents(EventStream(VirtualSources(0), [told.append]))
    tree = Tree(root, listener.hear)
    try:
        with trio.move_on_after(60):
            await tree.run()
    except RestartLimitExceeded:
        pass
    listener.end()
    return told


def painting(budget: Budget, cid: str | None = None) -> Supervisor:
    box = Mailbox[Draw]("painter", capacity=8)
    box.ref.tell_nowait(Draw(PROMPT), cid=cid)
    return Supervisor("trt", [Child("painter", Painter(), mailbox=box)], budget=budget)


def named(told: list[Event], *names: EventName) -> list[Event]:
    return [event for event in told if event.name in names]


CRASH = (EventName.ACTOR_CRASHED, EventName.CRASH_REPORT)


async def test_a_crash_is_told_at_once_and_reported_when_it_is_known_what_follows(
    autojump_clock: object, log: LogOfTest
) -> None:
    log.claim("ACTOR_CRASHED", "ACTOR_GAVE_UP")
    told = await told_of(painting(ONCE_MORE, cid="a1b2c3d4"))
    loud = [event.name for event in told if event.name is not EventName.ACTOR_STARTED]
    assert loud[:3] == [
        EventName.ACTOR_CRASHED,
        EventName.ACTOR_RESTARTING,
        EventName.CRASH_REPORT,
    ]
    crashed, report = named(told, *CRASH)[:2]
    about = {"actor": "trt/painter", "error": "ValueError", "cid": "a1b2c3d4"}
    assert crashed.fields == about
    text = report.fields["report"]
    assert report.fields == about | {"report": text}
    assert isinstance(text, str)
    assert "\n  in hand:      Draw, attempt 1, cid a1b2c3d4\n" in text
    assert "\n  next:         restart 1 of 1 within 60 s, in" in text
    assert re.search(r"\n {4}tests/actors/test_tree_events\.py:\d+ in Painter\.run\n", text)
    assert text.endswith("\n  caused by KeyError, most recent call last:")


async def test_a_crash_with_a_prompt_in_its_text_leaves_type_file_and_line_and_no_prompt(
    autojump_clock: object, log: LogOfTest
) -> None:
    log.claim("ACTOR_CRASHED", "ACTOR_GAVE_UP")
    told = await told_of(
        Supervisor("trt", [Child("patron", Patron(painting(NEVER)))], budget=NEVER)
    )
    everything = log.text() + repr(told)
    assert "canary" not in everything
    assert "red fox" not in everything
    reported = [line for line in log.lines() if line["event"] == "CRASH_REPORT"]
    assert {line["level"] for line in reported} == {"warning"}
    assert "ValueError" in log.text()
    assert "tests/actors/test_tree_events.py:" in log.text()


async def test_every_crash_on_the_way_up_is_reported_once_and_in_order(
    autojump_clock: object, log: LogOfTest
) -> None:
    log.claim("ACTOR_CRASHED", "ACTOR_GAVE_UP")
    told = await told_of(
        Supervisor("top", [Child("patron", Patron(painting(NEVER)))], budget=NEVER)
    )
    ways_up = ["top/patron/trt/painter", "top/patron/trt", "top/patron", "top"]
    for name in CRASH:
        assert [event.fields["actor"] for event in named(told, name)] == ways_up


async def test_a_crash_about_no_message_has_no_correlation_id(
    autojump_clock: object, log: LogOfTest
) -> None:
    log.claim("ACTOR_CRASHED", "ACTOR_GAVE_UP")
    for event in named(await told_of(painting(NEVER)), *CRASH):
        assert "cid" not in event.fields
