"""Signals: a drain that finishes what is in hand, and a second one that does not wait."""

import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import trio

from tests.process.instance import DEADLINE_S
from tests.process.loopback import HOST, Loopback, free_port, loopback
from trt.sandbox.faults import Call
from trt.sources import SystemSources
from trt.storage.database import Transaction
from trt.storage.sqlite import open_sqlite_inline
from trt.storage.timestamps import to_unix


class Held:
    """The first `sendMessage`: it has arrived, and is executed when the test says so."""

    def __init__(self, around: Loopback) -> None:
        self.arrived, self.let_go = trio.Event(), trio.Event()
        self._around = around
        around.telegram.before_call = self._hook

    async def _hook(self, call: Call) -> None:
        if call.name == "sendMessage":
            self._around.telegram.before_call = None
            self.arrived.set()
            await self.let_go.wait()


async def test_sigterm_refuses_what_is_new_and_finishes_what_is_in_hand(tmp_path: Path) -> None:
    async with loopback(tmp_path) as around:
        held, refused = Held(around), trio.Event()
        answers: list[tuple[int, str | None]] = []
        user = around.telegram.user()
        async with around.start() as instance:
            user.send("/start")
            with trio.fail_after(DEADLINE_S):
                await held.arrived.wait()
            around.on_answer = _note_refusals(answers, refused)
            instance.signal(signal.SIGTERM)
            stopping = await instance.wait_event("APP_STOPPING")
            update_id = user.send("/balance")
            with trio.fail_after(DEADLINE_S):
                await refused.wait()
            held.let_go.set()
            assert await instance.wait_exit() == 0
            stopped = await instance.wait_event("APP_STOPPED")
        assert stopping["reason"] == "SIGTERM"
        assert stopped["unstopped"] == ""
        assert answers[0] == (503, "1")
        assert [message.text[:6] for message in user.messages if message.is_from_bot] == ["Привет"]
        with open_sqlite_inline(around.database, now=SystemSources().now) as db:
            assert await db.transact(_lease) == (None, True)
        around.on_answer = None
        async with around.start() as successor:
            taken = await successor.wait_event("LOCK_ACQUIRED")
            await user.wait_message("Баланс", DEADLINE_S)
            assert await successor.stop() == 0
        assert taken["why"] == "released"
        assert around.telegram.update(update_id).attempts[0] == 503
        assert around.telegram.update(update_id).attempts[-1] == 200


async def test_a_second_signal_stops_at_once_and_loses_nothing(tmp_path: Path) -> None:
    async with loopback(tmp_path) as around:
        held = Held(around)
        user = around.telegram.user()
        async with around.start() as instance:
            user.send("/start")
            with trio.fail_after(DEADLINE_S):
                await held.arrived.wait()
            instance.signal(signal.SIGTERM)
            await instance.wait_event("APP_STOPPING")
            instance.signal(signal.SIGINT)
            assert await instance.wait_exit() == 130
        assert user.messages[-1].text == "/start"
        async with around.start() as successor:
            await user.wait_message("Привет", DEADLINE_S)
            assert await successor.stop() == 0


async def test_a_deploy_is_a_non_event(tmp_path: Path) -> None:
    async with loopback(tmp_path) as around:
        user = around.telegram.user()
        async with around.start() as old:
            user.send("/start")
            await user.wait_message("Привет", DEADLINE_S)
            port = str(free_port())
            place = {"PORT": port, "WEBHOOK_BASE_URL": f"http://{HOST}:{port}"}
            async with around.start(**place) as new:
                await new.wait_event("LOCK_WAITING")
                await new.wait_event("APP_STARTED")
                old.signal(signal.SIGTERM)
                update_id = user.send("/balance")
                taken = await new.wait_event("LOCK_ACQUIRED")
                await user.wait_message("Баланс", DEADLINE_S)
                assert await old.wait_exit() == 0
                assert await new.stop() == 0
        assert taken["why"] == "released"
        assert around.telegram.update(update_id).attempts[-1] == 200
        balances = [message for message in user.messages if "Баланс" in message.text]
        assert len(balances) == 1


async def test_no_secret_is_ever_written(tmp_path: Path) -> None:
    async with loopback(tmp_path) as around:
        changes = {"LOG_LEVEL": "DEBUG", "WEBHOOK_SECRET_TOKEN": "canary-webhook-token"}
        async with around.start(**changes) as instance:
            await instance.wait_event("WEBHOOK_SET")
            around.telegram.user().send("/start")
            await instance.wait_event("MESSAGE_SENT")
            assert await instance.stop() == 0
    written = "\n".join([*instance.err, *instance.out])
    assert "UPDATE_RECEIVED" in written
    for secret in ("canary-token", "canary-kie-key", "canary-webhook-token"):
        assert secret not in written


def _note_refusals(
    answers: list[tuple[int, str | None]], refused: trio.Event
) -> Callable[[httpx.Response], Awaitable[None]]:
    async def answered(response: httpx.Response) -> None:
        answers.append((response.status_code, response.headers.get("retry-after")))
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            refused.set()

    return answered


def _lease(tx: Transaction) -> tuple[str | None, bool]:
    """Return who holds the lease, and whether it has run out."""
    [holder, expires_at] = tx.execute("SELECT holder, expires_at FROM lease").one()
    return holder, expires_at <= to_unix(SystemSources().now())
