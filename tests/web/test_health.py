"""/health keeps the names that runbooks and monitors know, and answers 200 in every mode."""

import os
from typing import Any

import pytest

from tests.stories import kit
from trt.storage import lease
from trt.testing.world import World

TOP = {
    "ok",
    "mode",
    "lock_acquired",
    "ts",
    "lock_state",
    "lock_epoch",
    "lock_holder_pid",
    "lock_idle_duration",
    "lock_heartbeat_age",
    "lock_takeover_event",
    "database",
    "books",
    "blocked_models",
    "kie",
    "queue",
    "actors",
    "channels",
}
QUEUE = {
    "total_received",
    "total_processed",
    "total_duplicates",
    "queue_depth",
    "queue_utilization_percent",
    "drop_rate_percent",
    "last_drop_time",
    "backpressure_active",
}


@pytest.mark.parametrize("path", ["/health", "/"])
def test_the_active_instance_says_what_the_runbook_expects(path: str) -> None:
    async def story(w: World) -> None:
        w.telegram.user().send("/start")
        await w.settled(10)
        response = await w.http.get(f"https://bot.test{path}")
        body = response.json()
        assert response.status_code == 200
        assert set(body) == TOP
        assert set(body["queue"]) == QUEUE
        assert (body["ok"], body["mode"], body["lock_acquired"]) == (True, "active", True)
        assert body["ts"] == "2026-11-21T12:00:10Z"
        assert (body["lock_state"], body["lock_holder_pid"]) == ("ACTIVE", os.getpid())
        assert body["lock_epoch"] == 1
        assert body["lock_idle_duration"] == pytest.approx(10.0, abs=0.1)
        assert 0 <= body["lock_heartbeat_age"] <= 0.5
        assert body["lock_takeover_event"] is None
        assert body["database"] == {"engine": "sqlite", "pooled": False}
        queue = body["queue"]
        assert (queue["total_received"], queue["total_processed"], queue["queue_depth"]) == (
            1,
            1,
            0,
        )
        assert (queue["drop_rate_percent"], queue["last_drop_time"]) == (0.0, None)
        assert queue["backpressure_active"] is False

    kit.tell(story)


def test_actors_and_channels_are_all_there() -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("/start")
        await anna.wait_message("Анна")
        body = (await w.http.get("https://bot.test/health")).json()
        names = [child["name"] for child in body["actors"]["children"]]
        assert names == [
            "event_log",
            "metrics",
            "listener",
            "callback_clock",
            "update_ingress",
            "callback_ingress",
            "wake_ups",
            "lock_keeper",
            "door",
        ]
        assert body["actors"]["state"] == "running"
        assert {"restarts", "budget_left", "uptime_s", "mailbox"} <= set(body["actors"])
        channels = {channel["name"]: channel for channel in body["channels"]}
        assert {"ingress", "update_ingress", "delivery"} <= set(channels)
        assert channels["ingress"]["receiver"] == "dispatcher"
        assert {"capacity", "depth", "peak", "sent", "waiting_senders"} <= set(channels["ingress"])

    kit.tell(story)


def test_an_actor_that_waits_for_an_answer_says_whose() -> None:
    async def story(w: World) -> None:
        await w.settled(1)
        w.bot.trouble.hold("store")
        w.telegram.user().send("/start")
        await w.settled(0.5)
        assert await waits(w) == {"trt/lock_keeper/active/poller": "trt/update_ingress"}
        w.bot.trouble.release("store")
        await w.settled(5)
        assert await waits(w) == {}

    kit.tell(story, environment={"BOT_MODE": "polling"})


async def waits(w: World) -> dict[str, str]:
    """Return who waits for whom, by path, as /health shows it."""

    def below(actor: dict[str, Any]) -> dict[str, str]:
        own = {} if actor["waiting_on"] is None else {actor["path"]: actor["waiting_on"]}
        return own | {at: on for child in actor["children"] for at, on in below(child).items()}

    return below((await w.http.get("https://bot.test/health")).json()["actors"])


def test_a_passive_instance_answers_and_names_the_holder() -> None:
    async def story(w: World) -> None:
        await w.bot.stop()
        await w.db.transact(lease.acquire, "shard-0", holder="other", pid=4321, ttl_s=600.0)
        await w.settled(100)
        await w.start()
        await w.settled(10)
        response = await w.http.get("https://bot.test/health")
        body = response.json()
        assert response.status_code == 200
        assert set(body) == TOP
        assert (body["ok"], body["mode"], body["lock_acquired"]) == (True, "passive", False)
        assert (body["lock_state"], body["lock_holder_pid"]) == ("PASSIVE", 4321)
        assert body["lock_idle_duration"] == pytest.approx(10.0, abs=0.5)
        assert body["lock_heartbeat_age"] == pytest.approx(110.0, abs=0.5)
        assert body["lock_takeover_event"]["to_holder"] == "other"
        assert body["lock_takeover_event"]["reason"] == "released"
        assert (await w.http.get("https://bot.test/readyz")).status_code == 200

    kit.tell(story)


def test_a_draining_instance_answers_and_is_not_ok() -> None:
    async def story(w: World) -> None:
        w.telegram.user().send("/start")
        await w.settled(5)
        bot = w.bot
        bot.trouble.hold("store")
        w.telegram.user().send("/start")
        await w.settled(0.1)
        bot.app.stop()
        await w.settled(0.1)
        response = await w.http.get("https://bot.test/health")
        assert response.status_code == 200
        assert response.json()["ok"] is False
        assert set(response.json()) == TOP
        assert (await w.http.get("https://bot.test/readyz")).status_code == 503
        assert (await w.http.get("https://bot.test/livez")).status_code == 200
        bot.trouble.release("store")
        await bot.ended.wait()
        await w.start()

    kit.tell(story)


def test_with_several_shards_each_is_listed_and_the_first_is_on_top() -> None:
    async def story(w: World) -> None:
        await w.settled(1)
        await w.bot.stop()
        await w.db.transact(lease.acquire, "shard-1", holder="other", pid=4321, ttl_s=60.0)
        await w.start()
        await w.settled(10)
        body = (await w.http.get("https://bot.test/health")).json()
        assert set(body) == TOP | {"shards"}
        first, second = body["shards"]
        assert {name: body[name] for name in first if name != "shard"} == {
            name: value for name, value in first.items() if name != "shard"
        }
        assert (first["shard"], first["mode"], first["lock_state"]) == (0, "active", "ACTIVE")
        assert (second["shard"], second["mode"], second["lock_state"]) == (1, "passive", "PASSIVE")
        assert (second["lock_holder_pid"], second["lock_acquired"]) == (4321, False)
        assert {"ingress_0", "ingress_1"} <= {channel["name"] for channel in body["channels"]}

    kit.tell(story, environment={"SHARDS": "2"})


def test_metrics_speak_prometheus() -> None:
    async def story(w: World) -> None:
        w.telegram.user().send("/start")
        await w.settled(5)
        response = await w.http.get("https://bot.test/metrics")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "# TYPE" in response.text
        assert "trt_updates_received_total" in response.text

    kit.tell(story)


def test_an_unknown_path_is_not_found() -> None:
    async def story(w: World) -> None:
        for path in ("/nowhere", "/health/", "/callbacks"):
            assert (await w.http.get(f"https://bot.test{path}")).status_code == 404

    kit.tell(story)
