"""Listener: hypercorn on a socket that was bound before the tree started."""

import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable
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
        # Below zero are getaddrinfo's codes: the host is no address at all.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else "no such address"
        is_host = number <= 0 or number == errno.EADDRNOTAVAIL
        mend = HOST_MEND if is_host else PORT_MEND
        raise CannotBind(f"Cannot listen on {host}:{port}: {reason}. {mend}") from error


HOST_MEND = "Set HOST to an address of this machine, such as 0.0.0.0 or 127.0.0.1."
PORT_MEND = "Stop what uses the port, or choose another one with PORT."


class Listener:
    """Serves an ASGI application over HTTP; the bound socket outlives its restarts."""

    def __init__(self, app: ASGIApp, bound: socket.socket) -> None:
        self._app = app
        self._bound = bound

    async def run(self, ctx: Context[None]) -> None:
        """Serve until asked to stop, then finish the requests that are under way."""
        ctx.ready()
        await serve_on(self._bound, self._app, ctx.wait_stopping)


async def serve_on(
    bound: socket.socket, app: ASGIApp, shutdown: Callable[[], Awaitable[None]]
) -> None:
    """Serve an application on a bound socket until `shutdown` returns."""
    config = HypercornConfig()
    config.bind = [f"fd://{os.dup(bound.fileno())}"]
    config.graceful_timeout = GRACE_S
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    hypercorn_app: Any = app  # its ASGI types are narrower than the protocol
    await serve(hypercorn_app, config, shutdown_trigger=shutdown)
