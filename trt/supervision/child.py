"""`Child`: one line of a supervision tree."""

from collections.abc import Callable
from typing import Generic, TypeVar

from attrs import field, frozen, validators

from trt.supervision.context import Actor
from trt.supervision.events import DeadLetter
from trt.supervision.mailbox import Mailbox
from trt.supervision.restart import Restart

M = TypeVar("M")

ACTOR_GRACE_S = 5.0


@frozen
class Poison:
    """When a message that crashes its actor is put aside: after `retries` further attempts."""

    retries: int = field(default=2, validator=validators.ge(0))


@frozen(kw_only=True)
class Policy:
    """When a child is started again, how long its start and its stop may take, and what follows.

    `grace_s` is the time from the request to stop until the cancellation; None means 5 s for an
    actor and, for a supervisor or a directory, what its own children need. `is_significant`
    children can end their supervisor (see `AutoShutdown`); a permanent child never ends for good,
    so it cannot. A child that `drains` takes what its mailbox still holds at the final stop, within
    its grace, before its turns end; for any other these messages become dead letters.
    """

    restart: Restart = Restart.PERMANENT
    grace_s: float | None = None
    start_timeout_s: float = 30.0
    poison: Poison = Poison()
    is_significant: bool = False
    drains: bool = False


@frozen
class Child(Policy, Generic[M]):
    """What to start, and by which policy it is kept.

    `on_dead_letter` is called for every message to this child that will not be handled.
    """

    name: str
    actor: Actor[M]
    mailbox: Mailbox[M] | None = field(default=None, kw_only=True)
    on_dead_letter: Callable[[DeadLetter], None] | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        assert self.start_timeout_s > 0.0, f"{self.name}: nobody is ready at once"
        assert not (self.is_significant and self.restart is Restart.PERMANENT), (
            f"{self.name}: a permanent child cannot be significant"
        )
