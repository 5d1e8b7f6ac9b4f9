"""Supervised actors on trio: typed mailboxes, restarts with backoff, ordered and bounded stops.

@frozen
class Add(Ask[int]):
    amount: int

class Counter:
    async def run(self, ctx: Context[Add]) -> None:
        total = 0
        async for turn in ctx.turns():
            total += turn.message.amount
            turn.reply(total)

counters = Mailbox[Add]("counter", capacity=64)
root = Supervisor("root", [Child("counter", Counter(), mailbox=counters)])
async with trio.open_nursery() as nursery:
    tree = Tree(root, on_event=print)
    await nursery.start(tree.run)
    total = await counters.ref.ask(Add(2), timeout_s=1.0)
    tree.request_stop()
"""

from trt.supervision.child import Child, Poison
from trt.supervision.context import Actor, Branch, Context
from trt.supervision.crash_report import CrashReports, CrashVerdicts, crash_report
from trt.supervision.directory import Directory
from trt.supervision.entry import WhenFull
from trt.supervision.errors import (
    ActorCrashed,
    ActorStopped,
    AskCycle,
    AskTimedOut,
    DirectoryFull,
    ExitedUnexpectedly,
    MailboxFull,
    MessageDropped,
    RestartLimitExceeded,
    StartFailed,
    StartTimedOut,
    Undelivered,
)
from trt.supervision.events import (
    Crashed,
    DeadLetter,
    DeadLettered,
    DidNotStop,
    GaveUp,
    Ready,
    Restarting,
    Started,
    Stopped,
    StopRequested,
    SupervisionEvent,
)
from trt.supervision.handler import Handler, handles
from trt.supervision.mailbox import Mailbox, MailboxStatistics, Overflow
from trt.supervision.order import Refusal
from trt.supervision.question import Ask
from trt.supervision.ref import Ref
from trt.supervision.restart import AutoShutdown, Backoff, Budget, Restart, Strategy
from trt.supervision.snapshot import ActorSnapshot, Kind, State
from trt.supervision.supervisor import Supervisor
from trt.supervision.trace import trace_lines
from trt.supervision.tree import Tree
from trt.supervision.turn import Turn, current_turn

__all__ = [
    "Actor",
    "ActorCrashed",
    "ActorSnapshot",
    "ActorStopped",
    "Ask",
    "AskCycle",
    "AskTimedOut",
    "AutoShutdown",
    "Backoff",
    "Branch",
    "Budget",
    "Child",
    "Context",
    "CrashReports",
    "CrashVerdicts",
    "Crashed",
    "DeadLetter",
    "DeadLettered",
    "DidNotStop",
    "Directory",
    "DirectoryFull",
    "ExitedUnexpectedly",
    "GaveUp",
    "Handler",
    "Kind",
    "Mailbox",
    "MailboxFull",
    "MailboxStatistics",
    "MessageDropped",
    "Overflow",
    "Poison",
    "Ready",
    "Ref",
    "Refusal",
    "Restart",
    "RestartLimitExceeded",
    "Restarting",
    "StartFailed",
    "StartTimedOut",
    "Started",
    "State",
    "StopRequested",
    "Stopped",
    "Strategy",
    "SupervisionEvent",
    "Supervisor",
    "Tree",
    "Turn",
    "Undelivered",
    "WhenFull",
    "crash_report",
    "current_turn",
    "handles",
    "trace_lines",
]
