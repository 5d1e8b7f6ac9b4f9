"""`ActorSnapshot`: what one place in the tree looks like now, as plain data."""

from enum import StrEnum

from attrs import frozen

from trt.supervision.mailbox import MailboxStatistics


class State(StrEnum):
    """Where in its life a child is."""

    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing_off"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Kind(StrEnum):
    """What stands at a place in the tree."""

    ACTOR = "actor"
    SUPERVISOR = "supervisor"
    DIRECTORY = "directory"


@frozen(kw_only=True)
class ActorSnapshot:
    """One place in the tree and what is below it; no field can hold a message or an error text.

    `restarts_in_window` and `budget_left` speak of the budget that is spent there: a supervisor's
    own, for other children that of their supervisor, and below a directory that of the key.
    `busy_s` is how long the present turn has been going on, `waiting_on` whose answer it needs.
    `children` of a directory are its busiest; `children_total` counts all.
    """

    path: str
    name: str
    kind: Kind = Kind.ACTOR
    state: State = State.STOPPED
    restarts: int = 0
    restarts_in_window: int = 0
    budget_left: int = 0
    uptime_s: float = 0.0
    backoff_s: float = 0.0
    mailbox: MailboxStatistics | None = None
    handled: int = 0
    failed: int = 0
    busy_s: float = 0.0
    current_message: str | None = None
    waiting_on: str | None = None
    last_error: str | None = None
    children: tuple["ActorSnapshot", ...] = ()
    children_total: int = 0
