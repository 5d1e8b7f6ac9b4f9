"""The active branch: nothing in it can write past the lease."""

from collections import deque
from collections.abc import Iterator, Mapping
from types import FunctionType, MethodType

import trio

from tests.stories import kit
from trt.actors.active_branch import active_branch
from trt.actors.held import Held
from trt.actors.leased_database import LeasedDatabase
from trt.actors.parts import Parts
from trt.storage.database import Database
from trt.storage.inbox import InboxRow
from trt.storage.lease_store import DatabaseLeaseStore
from trt.supervision import Ref
from trt.testing.world import World

ADMIN = {"ADMIN_ID": "7"}
"""With whom every actor of the branch is there."""
FENCED = ("Delivery", "JobKeeper", "Refusals", "Cashier", "Dispatcher", "Janitor", "Refunder")
"""Some that the walk must have come by."""
NOT_LOOKED_INTO = (LeasedDatabase, DatabaseLeaseStore, Parts, Ref, type)
"""What fences, what the lease itself lives in, what the pieces are taken from, other actors."""


def test_every_database_in_the_branch_is_fenced_by_the_lease() -> None:
    async def story(w: World) -> None:
        parts = w.bot.app.parts
        held = Held(epoch=1, trusted_until=0.0, takeover=None, stop_lost_s=0.0)
        updates = trio.open_memory_channel[InboxRow](1)[1]
        branch = active_branch(parts, parts.shards[0], held, updates)
        found = databases(branch)
        assert not {way for way, db in found.items() if not isinstance(db, LeasedDatabase)}
        for actor in FENCED:
            assert any(f":{actor}." in way for way in found), f"{actor} was not found"

    kit.tell(story, environment=ADMIN)


def databases(root: object) -> dict[str, object]:
    """Return every database that can be reached from an object of ours, by the way there."""
    found: dict[str, object] = {}
    seen = {id(root)}
    waiting = deque([(type(root).__name__, root)])
    while waiting:
        way, one = waiting.popleft()
        for name, part in parts_of(one):
            way_on = f"{way}.{name}:{type(part).__name__}"
            if Database in type(part).__mro__:
                found[way_on] = part  # by every way: they share it
            if id(part) not in seen:
                seen.add(id(part))
                waiting.append((way_on, part))
    return found


def parts_of(one: object) -> Iterator[tuple[str, object]]:
    """Yield what an object of ours, a container or a function holds, by name."""
    if isinstance(one, NOT_LOOKED_INTO):
        return
    if isinstance(one, Mapping):
        yield from ((str(key), part) for key, part in one.items())
    elif isinstance(one, list | tuple | set | frozenset):
        yield from ((str(number), part) for number, part in enumerate(one))
    elif isinstance(one, MethodType):
        yield "self", one.__self__
    elif isinstance(one, FunctionType):
        cells = zip(one.__code__.co_freevars, one.__closure__ or (), strict=True)
        yield from ((name, cell.cell_contents) for name, cell in cells)
    elif type(one).__module__.startswith("trt."):
        slots = [name for base in type(one).__mro__ for name in getattr(base, "__slots__", ())]
        names = dict.fromkeys([*slots, *getattr(one, "__dict__", ())])
        yield from ((name, getattr(one, name)) for name in names if hasattr(one, name))
