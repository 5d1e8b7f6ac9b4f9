"""CallbackBell: KIE's callbacks that reach a passive instance wake the jobs of the active one."""

from contextlib import suppress

import trio

from trt.actors.bells import callbacks_topic, ring_out
from trt.domain.ids import JobId, Shard
from trt.storage.database import Database
from trt.supervision import Context


class CallbackBell:
    """Holds the receiver of the callback channel while this instance is passive.

    The callbacks are stored; it rings for them, once for all that has arrived, and reads none. A
    restart loses at most a ring: the job keeper of the active instance looks by itself too.
    """

    def __init__(
        self, db: Database, shard: Shard, callbacks: "trio.MemoryReceiveChannel[JobId]"
    ) -> None:
        self._db = db
        self._topic = callbacks_topic(shard)
        self._callbacks = callbacks

    async def run(self, ctx: Context[None]) -> None:
        """Ring until the lease changes hands."""
        ctx.ready()
        with ctx.stop.interrupts():
            while True:
                await self._callbacks.receive()
                with suppress(trio.WouldBlock):
                    while True:
                        self._callbacks.receive_nowait()
                await ring_out(self._db, self._topic)
