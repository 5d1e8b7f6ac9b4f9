"""Marked secrets, a marked prompt and a marked name go through everything and surface nowhere."""

import json
import re

import httpx

from tests.conftest import LogOfTest
from tests.stories import kit
from trt.sandbox.faults import CutAfter, ServerError
from trt.sandbox.kie_script import Fail, KIEOptions, Refuse
from trt.sandbox.telegram_user import FakeUser
from trt.testing.trouble import When
from trt.testing.world import BOT_TOKEN, KIE_KEY, World

PATH, TOKEN = "canary-path-4b1d7c", "canary-token-9f3e21"
CALLBACK_KEY, HMAC_KEY = "canary-callback-key-77", "canary-hmac-key-55"
PROMPT = "canary-prompt рыжий лис"
NAME = "Canary-Name-Анна"
ENVIRONMENT = {
    "WEBHOOK_SECRET_PATH": PATH,
    "WEBHOOK_SECRET_TOKEN": TOKEN,
    "KIE_CALLBACK_TOKEN": CALLBACK_KEY,
    "KIE_WEBHOOK_HMAC_KEY": HMAC_KEY,
}


def test_no_secret_no_prompt_and_no_name_leaves_through_logs_health_metrics_or_events(
    log: LogOfTest,
) -> None:
    log.claim("ACTOR_CRASHED", "ACTOR_GAVE_UP", "DISPATCH_FAIL")
    seen: list[str] = []
    signatures: list[str] = []

    async def story(w: World) -> None:
        anna = w.telegram.user(first_name=NAME)
        await _orders(w, anna)
        w.kie.script(Fail(msg=f"cannot draw {PROMPT}"))
        await _orders(w, anna)
        w.kie.script(Refuse(code=422, msg=f"prompt {PROMPT} violates the policy of {KIE_KEY}"))
        await _orders(w, anna)
        w.kie.faults.add("createTask", CutAfter())
        w.telegram.faults.add("sendPhoto", CutAfter())
        w.telegram.faults.add("editMessageText", ServerError(502))
        await _orders(w, anna)
        for when in When:
            bug = RuntimeError(f"a bug about {PROMPT} of {NAME}, with {KIE_KEY}")
            bug.__cause__ = KeyError(PROMPT)
            w.bot.trouble.fail("handle", bug, when=when, times=3)
            anna.send(PROMPT)
            await w.settled(20)
        app = w.network.apps.pop("kie.test")
        await _orders(w, anna)
        w.network.apps["kie.test"] = app
        await _knocks_with_wrong_secrets(w)
        signatures.extend((task.callback_url or "").rpartition("/")[2] for task in w.kie.tasks)
        pages = ("/health", "/", "/metrics", "/livez", "/readyz")
        seen.extend([(await w.http.get(f"https://bot.test{page}")).text for page in pages])
        seen.append(repr([event.fields for event in w.events]))
        seen.append(repr(await w.rows("SELECT * FROM app_events")))
        seen.append(repr(await w.rows("SELECT detail FROM outbox")))
        seen.append(repr(w.config))

    kit.tell(story, environment=ENVIRONMENT, kie=KIEOptions(hmac_key=HMAC_KEY))
    reports = [str(line["report"]) for line in log.lines() if line["event"] == "CRASH_REPORT"]
    assert len(reports) >= 3 * len(When)
    for report in reports:
        assert "RuntimeError, most recent call last:\n" in report
        assert "caused by KeyError" in report
        assert re.search(r"\n    trt/actors/session\.py:\d+ in SessionActor\.", report)
    assert len(signatures) >= 3
    everything = "\n".join([log.text(), *seen])
    canaries = [BOT_TOKEN, BOT_TOKEN.partition(":")[2], KIE_KEY, PATH, TOKEN, CALLBACK_KEY]
    canaries += [HMAC_KEY, *signatures, PROMPT, "canary-prompt", NAME, "Canary-Name"]
    found = [canary for canary in canaries if canary and _holds(everything, canary)]
    assert found == []


def _holds(text: str, canary: str) -> bool:
    return canary in text or json.dumps(canary)[1:-1] in text


async def _orders(w: World, anna: FakeUser) -> None:
    await kit.has_confirmation(anna, prompt=PROMPT)
    anna.tap(kit.CONFIRM)
    await w.settled(w.config.submit_grace_s + 60)


async def _knocks_with_wrong_secrets(w: World) -> None:
    body = b'{"update_id": 1}'
    wrong_token = {"x-telegram-bot-api-secret-token": TOKEN + "x"}
    assert (await w.post(body, **wrong_token)).status_code == httpx.codes.FORBIDDEN
    for path in (f"/webhook/{PATH}x", "/webhook/", f"/webhook/{TOKEN}"):
        response = await w.http.post(f"https://bot.test{path}", content=body)
        assert response.status_code == httpx.codes.FORBIDDEN
        assert TOKEN not in response.text
        assert PATH not in response.text
    [task, *_] = w.kie.tasks
    assert task.callback_url is not None
    unsigned = await w.http.post(task.callback_url, content=b'{"data":{"taskId":"t"}}')
    assert unsigned.status_code == httpx.codes.UNAUTHORIZED
    forged = await w.http.post(task.callback_url[:-1] + "_", content=b'{"data":{"taskId":"t"}}')
    assert forged.status_code == httpx.codes.FORBIDDEN
