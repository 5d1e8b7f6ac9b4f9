"""What supervision reports while it happens, one frozen record per fact."""

from typing import TypeAlias

from attrs import field, frozen


def _type_name(value: object) -> str:
    return type(value).__name__


@frozen(kw_only=True)
class DeadLetter:
    """A message that nobody will handle (any more).

    `reason` is `poison` (its turns crashed too often), `stopped` (its actor stopped for good),
    `expired` (a question whose deadline passed in the queue), `dropped` (a newer message took its
    place in a full mailbox) or `unread` (an actor of a directory
    finished again and again without reading it). `attempts` counts the turns that began.
    """

    path: str
    message: object = field(repr=_type_name)
    reason: str
    error: Exception | None = field(default=None, repr=_type_name)
    attempts: int = 0


@frozen(kw_only=True)
class Started:
    """An incarnation began to run; `incarnation` counts from 1."""

    path: str
    incarnation: int


@frozen(kw_only=True)
class Ready:
    """The incarnation said that it is ready; the actors of a directory are as they start."""

    path: str


@frozen(kw_only=True)
class Crashed:
    """The incarnation, or a hook called in its name, ended with `error`.

    `message_type` names the message in hand, in its turn number `attempt`, and `cid` is what it is
    about; `mailbox_depth` counts those that wait. `is_restarted` is False for a child that is never
    started again. Incarnations count from 1; 0 means a hook.
    """

    path: str
    error: Exception = field(repr=_type_name)
    incarnation: int = 0
    was_ready: bool = False
    message_type: str | None = None
    attempt: int = 0
    cid: str | None = None
    mailbox_depth: int = 0
    is_restarted: bool = True


@frozen(kw_only=True)
class Restarting:
    """The child will be started again in `delay_s` seconds, as number so many in the window."""

    path: str
    delay_s: float
    restarts_in_window: int = 0
    restarts_max: int = 0
    within_s: float = 0.0


@frozen(kw_only=True)
class GaveUp:
    """The restart budget at `path` is spent by a crash of `child`: the failure goes to the parent.

    A directory gives up a key; then both are the path of its actor.
    """

    path: str
    child: str = ""
    restarts_max: int = 0
    within_s: float = 0.0


@frozen(kw_only=True)
class StopRequested:
    """The incarnation was asked to stop."""

    path: str


@frozen(kw_only=True)
class Stopped:
    """The incarnation has ended after a stop request, or has completed."""

    path: str


@frozen(kw_only=True)
class DidNotStop:
    """The incarnation outlived its grace and its cancellation: it is shielded or in a thread."""

    path: str


@frozen(kw_only=True)
class DeadLettered:
    """A message was put aside."""

    path: str
    letter: DeadLetter


SupervisionEvent: TypeAlias = (
    Started
    | Ready
    | Crashed
    | Restarting
    | GaveUp
    | StopRequested
    | Stopped
    | DidNotStop
    | DeadLettered
)
