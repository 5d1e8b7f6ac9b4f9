"""Taking the lease away from its holder at an operator's word, and keeping the word."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from attrs import asdict, frozen

from trt.ops.database_door import Door
from trt.storage import app_events
from trt.storage.app_events import AppEvent
from trt.storage.database import Transaction
from trt.storage.lease_row import LeaseRow
from trt.storage.timestamps import to_unix
from trt.telemetry.events import CATALOGUE, EventName

_NOTED_WITHIN = timedelta(seconds=60)
"""The word is noted in a transaction after the deed."""


@frozen(kw_only=True)
class Deposition:
    """An operator's word."""

    lease: str
    epoch: int
    """The one that ended with it."""
    holder: str | None
    by: str
    because: str


_WORDS = msgspec.json.Decoder(Deposition)


@frozen(kw_only=True)
class Deposed:
    """It is done: the holder can commit nothing from now on."""

    lease: LeaseRow
    """As it stood."""


@frozen
class NobodyHolds:
    """There is nothing to take away."""


@frozen
class HolderChanged:
    """The holder whom the operator was shown does not hold it any more; nothing was done."""


async def depose(
    door: Door, name: str, *, epoch: int, by: str, because: str
) -> Deposed | NobodyHolds | HolderChanged:
    """Take a lease away from the holder that was shown, and note who said so and why.

    The fence closes in the same transaction, so the deposed instance can commit nothing; it finds
    out with its next renewal and leaves the lease to the others for as long as a lease lasts.

    Args:
        door: The open database.
        name: Which lease.
        epoch: Under which the holder that the operator was shown holds it.
        by: Who says so.
        because: Why, in the operator's words.

    Raises:
        DatabaseUnavailable: The database could not do it now.
    """
    standing = await door.leases.read(name)
    if standing is None or standing.holder is None:
        return NobodyHolds()
    if not await door.leases.depose(name, epoch=epoch):
        return HolderChanged()
    await door.db.transact(_note, standing, by=by, because=because)
    return Deposed(lease=standing)


def depositions(
    tx: Transaction, name: str, *, moments: Sequence[datetime]
) -> dict[int, Deposition]:
    """Return what operators said when they deposed holders, by the epoch that ended."""
    found: dict[int, Deposition] = {}
    for moment in moments:
        rows = tx.execute(
            """
            SELECT payload FROM app_events
            WHERE event = :event AND at >= :since AND at <= :until
            """,
            {
                "event": EventName.LOCK_DEPOSED,
                "since": to_unix(moment - _NOTED_WITHIN),
                "until": to_unix(moment + _NOTED_WITHIN),
            },
        )
        said = [_WORDS.decode(payload) for (payload,) in rows]
        found |= {word.epoch: word for word in said if word.lease == name}
    return found


def _note(tx: Transaction, deposed: LeaseRow, *, by: str, because: str) -> None:
    word = Deposition(
        lease=deposed.name, epoch=deposed.epoch, holder=deposed.holder, by=by, because=because
    )
    name, payload = EventName.LOCK_DEPOSED, asdict(word)
    problem = CATALOGUE[name].problem(payload)
    assert problem is None, f"{name}: {problem}"
    event = AppEvent(at=tx.clock(), level=CATALOGUE[name].level, event=name, payload=payload)
    app_events.insert(tx, [event])
