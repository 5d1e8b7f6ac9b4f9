"""Whom KIE's callbacks are believed to be from when its signature key is set, and what else is."""

import base64
import hmac

import pytest

from tests.stories import kit
from trt.sandbox.kie_script import KIEOptions, Succeed
from trt.telemetry.events import EventName
from trt.testing.world import World

KEY = "canary-hmac-key"
SIGNED = {"KIE_WEBHOOK_HMAC_KEY": KEY}


def signature(task_id: str, timestamp: str) -> dict[str, str]:
    """Return the headers of a callback that KIE signed at this moment."""
    digest = hmac.digest(KEY.encode(), f"{task_id}.{timestamp}".encode(), "sha256")
    encoded = base64.b64encode(digest).decode()
    return {"X-Webhook-Timestamp": timestamp, "X-Webhook-Signature": encoded}


def test_a_callback_that_kie_has_just_signed_is_taken() -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=100.0))
        await kit.orders_picture(anna)
        await w.settled(120)
        [task] = w.kie.tasks
        assert task.callback_statuses == [200]
        assert not w.told(EventName.AUTH_REFUSED)
        await kit.assert_paid_once(w, anna)

    kit.tell(story, environment=SIGNED, kie=KIEOptions(hmac_key=KEY))


@pytest.mark.parametrize("age_s", [3600.0, -3600.0])
@kit.SEEDS
def test_a_callback_signed_an_hour_from_now_is_refused_and_polling_ends_the_job(
    seed: int, age_s: float
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(120)
        [task] = w.kie.tasks
        assert task.callback_statuses == [401] * 4
        assert len(w.told(EventName.AUTH_REFUSED, where="kie_callback_timestamp")) == 4
        assert not w.told(EventName.KIE_CALLBACK)
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed, environment=SIGNED, kie=KIEOptions(hmac_key=KEY, hmac_age_s=age_s))


def test_each_refusal_says_what_is_wrong() -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(60)
        [task] = w.kie.tasks
        assert task.callback_url is not None
        unsigned = await w.http.post(task.callback_url, json={"taskId": task.task_id})
        assert unsigned.status_code == 401
        assert unsigned.json()["problem"] == "wrong X-Webhook-Signature"
        assert w.told(EventName.AUTH_REFUSED, where="kie_callback_hmac")
        odd = signature(task.task_id, "abc")
        stale = await w.http.post(task.callback_url, json={"taskId": task.task_id}, headers=odd)
        assert stale.status_code == 401
        assert "not within 300 s of our clock" in stale.json()["problem"]
        assert "unix seconds" in stale.json()["mend"]
        assert w.told(EventName.AUTH_REFUSED, where="kie_callback_timestamp")

    kit.tell(story, environment=SIGNED, kie=KIEOptions(hmac_key=KEY))
