"""The sandbox as a process: it says where it is, greets at once, and goes when told to."""

import signal
from pathlib import Path

import httpx
import trio

from tests.process.instance import command_environment, run_command
from tests.process.loopback import HOST
from tests.process.sandbox import Sandbox, open_sandbox
from trt.dev import DevPorts
from trt.web.listener import bind

GREETING_WITHIN_S = 5.0
"""Promised to whoever starts it: something to see within five seconds."""


async def test_it_greets_within_seconds_and_stops_on_ctrl_c(tmp_path: Path) -> None:
    async with open_sandbox(tmp_path) as sandbox:
        with trio.fail_after(GREETING_WITHIN_S):
            assert "Привет, Анна!" in await greeting(sandbox)
        said = "\n".join(sandbox.instance.out)
        ports = sandbox.ports
        for port in (ports.page, ports.bot, ports.telegram, ports.kie):
            assert f"http://{HOST}:{port}" in said
        async with httpx.AsyncClient() as http:
            health = (await http.get(f"http://{HOST}:{ports.bot}/health")).json()
        assert (health["ok"], health["mode"]) == (True, "active")
        sandbox.instance.signal(signal.SIGINT)
        assert await sandbox.instance.wait_exit() == 0
        assert [line for line in sandbox.instance.log if line["level"] == "error"] == []
    assert not await trio.Path(tmp_path / "trt.sqlite3").exists()


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with bind(HOST, 0) as taken:
        port = taken.getsockname()[1] % DevPorts.page_max
        done = await run_command(
            "dev", "--port", str(port), environment=command_environment(), folder=tmp_path
        )
    assert (done.code, done.out) == (2, "")
    assert f"{HOST}:{port}" in done.err
    assert "Traceback" not in done.err


async def greeting(sandbox: Sandbox) -> str:
    """Return what the bot says first to the first person, as the page shows it."""
    await sandbox.instance.wait_event("MESSAGE_SENT", kind="screen")
    async with httpx.AsyncClient() as http:
        state = (await http.get(f"{sandbox.url}/api/state")).json()
    return next(str(message["html"]) for message in state["messages"] if message["is_from_bot"])
