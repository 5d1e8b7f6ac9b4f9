"""Bells: what another instance has committed is heard here at once, beside every poll."""

from contextlib import suppress

import trio

from trt.domain.ids import Shard
from trt.storage.database import Database, Transaction
from trt.storage.errors import DatabaseUnavailable

RING_PAUSE_S = 0.01
"""A notification is a commit of its own, on which others wait (PostgreSQL serialises them)."""


class Bell:
    """One topic's bell, for one listener; rung while nobody listens, it is heard later, once."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        """Wake the listener."""
        self._rung.set()

    async def wait(self) -> None:
        """Return once the bell was rung since it was last heard."""
        await self._rung.wait()
        self._rung = trio.Event()


class Bells:
    """The bells of this process by topic."""

    def __init__(self) -> None:
        self._bells: dict[str, Bell] = {}

    def bell(self, topic: str) -> Bell:
        """Return the bell of a topic."""
        return self._bells.setdefault(topic, Bell())

    def ring(self, topic: str) -> None:
        """Ring the bell of a topic, if anybody here has asked for it."""
        bell = self._bells.get(topic)
        if bell is not None:
            bell.ring()

    def ring_all(self) -> None:
        """Ring every bell: nobody knows what was not heard."""
        for bell in self._bells.values():
            bell.ring()


def inbox_topic(shard: Shard) -> str:
    """Return what is notified when a passive instance has taken updates of a shard."""
    return f"inbox:{shard}"


def callbacks_topic(shard: Shard) -> str:
    """Return what is notified when a passive instance has taken KIE's callbacks of a shard."""
    return f"callbacks:{shard}"


def opened_topic(shard: Shard) -> str:
    """Return what nobody notifies: its bell rings with all others, when wake-ups were opened."""
    return f"opened:{shard}"


async def ring_out(db: Database, topic: str) -> None:
    """Wake who listens for a topic in another process; a ring that is lost costs one poll.

    Returns a little later, so that whoever calls it in a loop rings once for a burst.
    """
    with suppress(DatabaseUnavailable):
        await db.transact(_notify, topic)
    await trio.sleep(RING_PAUSE_S)


def _notify(tx: Transaction, topic: str) -> None:
    tx.notify(topic)
