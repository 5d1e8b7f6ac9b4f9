"""What the service is measured against: hypercorn on trio, and an application that does nothing."""

import socket
import sys

import trio

from trt.web.http import Receive, Scope, Send, answer, read_body
from trt.web.listener import serve_on


async def respond(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body and answer 200 with the words of the webhook."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    await read_body(scope, receive)
    await answer(send, 200, {"ok": True})


def main() -> None:
    """Serve on the listening socket whose descriptor is the argument, until a signal ends us."""
    bound = socket.socket(fileno=int(sys.argv[1]))
    trio.run(serve_on, bound, respond, trio.sleep_forever)


if __name__ == "__main__":
    main()
