"""Listener: hypercorn on a socket that was bound before the tree started."""

import logging
import os
import socket
from typing import Any

from hypercorn.config import Config as HypercornConfig
from hypercorn.trio import serve

from trt.supervision import Context
from trt.web.http import ASGIApp

GRACE_S = 1.5
KEEP_ALIVE_S = 75.0
"""Longer than Telegram's 60 s of idling, so that it is never we who cut a connection in use."""


class CannotBind(Exception):  # noqa: N818 - an operating error with its mend
    """The address is taken or not ours; the message says which and what to do."""


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        CannotBind: Something else listens there, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CannotBind(
            f"Cannot listen on {host}:{port}: {reason}. Stop what uses the port, "
            "or choose another one with PORT."
        ) from error


class Listener:
    """Serves an ASGI application over HTTP; the bound socket outlives its restarts."""

    def __init__(self, app: ASGIApp, bound: socket.socket) -> None:
        self._app: Any = app  # hypercorn's ASGI types are narrower than the protocol
        self._bound = bound

    async def run(self, ctx: Context[None]) -> None:
        """Serve until asked to stop, then finish the requests that are under way."""
        config = HypercornConfig()
        config.bind = [f"fd://{os.dup(self._bound.fileno())}"]
        config.graceful_timeout = GRACE_S
        config.keep_alive_timeout = KEEP_ALIVE_S
        config.accesslog = None
        config.errorlog = logging.getLogger("hypercorn.error")
        ctx.ready()
        await serve(self._app, config, shutdown_trigger=ctx.wait_stopping)
