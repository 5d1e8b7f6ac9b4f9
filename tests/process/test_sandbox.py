"""The sandbox as a process: it says where it is, greets at once, and goes when told to."""

import signal
from pathlib import Path

import httpx
import trio

from tests.process.instance import DEADLINE_S, command_environment, run_command
from tests.process.loopback import HOST
from tests.process.sandbox import open_sandbox
from trt.dev import DevPorts
from trt.web.listener import bind

GREETING_WITHIN_S = 5.0
"""Promised to whoever starts it: something to see within five seconds."""


async def test_it_greets_within_seconds_and_stops_on_ctrl_c(tmp_path: Path) -> None:
    async with open_sandbox(tmp_path) as sandbox:
        with trio.fail_after(GREETING_WITHIN_S):
            await greeted(sandbox.url)
        said = "\n".join(sandbox.instance.out)
        ports = sandbox.ports
        for port in (ports.page, ports.bot, ports.telegram, ports.kie):
            assert f"http://{HOST}:{port}" in said
        async with httpx.AsyncClient() as http:
            health = (await http.get(f"http://{HOST}:{ports.bot}/health")).json()
        assert (health["ok"], health["mode"]) == (True, "active")
        sandbox.instance.signal(signal.SIGINT)
        assert await sandbox.instance.wait_exit() == 0
        assert sandbox.instance.err == []
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


async def greeted(url: str) -> None:
    """Wait until the first person's chat shows the bot's greeting."""
    async with (
        httpx.AsyncClient(base_url=url) as http,
        http.stream("GET", "/api/events") as events,
    ):
        lines = events.aiter_lines()
        await anext(lines)  # from here on every change is heard
        state = (await http.get("/api/state")).json()
        if any(message["is_from_bot"] for message in state["messages"]):
            return
        async for line in lines:
            if "Привет" in line:
                return
    raise AssertionError("the stream of events ended")
