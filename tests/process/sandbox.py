"""`trt dev` as a process: the sandbox that a person starts with one command."""

import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from attrs import frozen

from tests.process.instance import CHECKOUT, Instance, command_environment, started
from tests.process.loopback import HOST, free_port
from trt.dev import DevPorts


@frozen
class Sandbox:
    """A running sandbox."""

    instance: Instance
    ports: DevPorts

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{HOST}:{self.ports.page}"


@asynccontextmanager
async def open_sandbox(folder: Path, packages: Path = CHECKOUT) -> AsyncIterator[Sandbox]:
    """Start a sandbox on free ports and wait until it says where it is."""
    ports = four_free_ports()
    environment = command_environment(packages) | {"LOG_LEVEL": "INFO"}
    async with started(
        "dev", "--port", str(ports.page), environment=environment, folder=folder
    ) as instance:
        await instance.wait_said("Stop with Ctrl-C")
        yield Sandbox(instance, ports)


def four_free_ports() -> DevPorts:
    """Return four ports in a row that nobody listens on now."""
    while True:
        page = free_port()
        with ExitStack() as bound:
            try:
                for port in range(page, page + 4):
                    bound.enter_context(socket.create_server((HOST, port)))
            except (OSError, OverflowError):
                continue  # somebody is there, or the ports end: look elsewhere
            return DevPorts(page=page)
