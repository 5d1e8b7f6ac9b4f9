"""Every answer to recordInfo that was printed, and what it says of the task."""

from decimal import Decimal
from typing import Any

from tests.kie.printed_bodies import CDN, HTML_502, INTERNAL, SERVER, TASK, TOO_FAST, data, error
from trt.domain.job import Phase
from trt.domain.reasons import Reason
from trt.kie.errors import Trouble
from trt.kie.outcomes import Failed, NotFound, Succeeded, Working

QUEUED, GENERATING = Working(phase=Phase.QUEUED), Working(phase=Phase.GENERATING)
PARAM = (
    r'"param":"{\"input\":\"{\\\"aspect_ratio\\\":\\\"16:9\\\",'
    r"\\\"prompt\\\":\\\"A lighthouse\\\"}\","
    r'\"model\":\"gpt-image-2-5-flare-text-to-image\"}"'
)
FLARE = (
    f'"taskId":"{TASK}","model":"gpt-image-2-5-flare-text-to-image",{PARAM}'
    ',"operationType":"gpt-image-2-5-flare-text-to-image","createTime":1789126694807'
)
APRIL = f'"taskId":"{TASK}","model":"kling-3.0/video","createTime":1775599634000'
PICTURE = f"{CDN}/images/chatgpt/file_1.png"
PENDING = '"resultJson":"","failCode":null,"failMsg":null,"costTime":null,"completeTime":null'


def success(result: str, more: str = "") -> str:
    return data(f'{APRIL},"state":"success",{result},"failCode":null,"failMsg":null{more}')


def urls(*names: str, consumed: str | None = None) -> Succeeded:
    amount = None if consumed is None else Decimal(consumed)
    return Succeeded(urls=tuple(f"{CDN}/{name}" for name in names), credits_consumed=amount)


def failed(code: str, detail: str, reason: Reason, consumed: str | None = None) -> Failed:
    amount = None if consumed is None else Decimal(consumed)
    return Failed(code=code, detail=detail, reason=reason, credits_consumed=amount)


FLARE_DONE = (
    f'{FLARE},"state":"success","resultJson":"{{\\"resultUrls\\":[\\"{PICTURE}\\"]}}"'
    ',"failCode":null,"failMsg":null,"costTime":66,"completeTime":1789126761759'
    f',"creditsConsumed":6.0,"response":{{"resultUrls":["{PICTURE}"]}},"successFlag":1'
    ',"paramJson":"{}"'
)

RECORD: list[tuple[str, int, str, Any]] = [
    (
        "September: success",
        200,
        data(FLARE_DONE),
        Succeeded(urls=(PICTURE,), credits_consumed=Decimal("6.0")),
    ),
    (
        "September: running, credits reserved",
        200,
        data(f'{FLARE},"state":"generating",{PENDING},"creditsConsumed":6.0,"successFlag":0'),
        GENERATING,
    ),
    ("April: waiting", 200, data(f'{APRIL},"state":"waiting",{PENDING}'), QUEUED),
    ("April: queuing", 200, data(f'{APRIL},"state":"queuing",{PENDING}'), QUEUED),
    ("April: generating", 200, data(f'{APRIL},"state":"generating",{PENDING}'), GENERATING),
    (
        "April: success, result as a string",
        200,
        success(f'"resultJson":"{{\\"resultUrls\\":[\\"{CDN}/k/1.mp4\\"]}}"'),
        urls("k/1.mp4"),
    ),
    (
        "result as an object",
        200,
        success(f'"resultJson":{{"resultUrls":["{CDN}/k/1.mp4"]}}'),
        urls("k/1.mp4"),
    ),
    (
        "six results",
        200,
        success(
            '"resultJson":{"resultUrls":['
            + ",".join(f'"{CDN}/r/{n}.png"' for n in range(6))
            + '],"firstFrameUrl":"https://x.test/a","lastFrameUrl":"https://x.test/b"}'
        ),
        urls(*(f"r/{n}.png" for n in range(6))),
    ),
    ("success without a result: empty", 200, success('"resultJson":""'), urls()),
    ("success without a result: null", 200, success('"resultJson":null'), urls()),
    ("success without a result: no urls", 200, success('"resultJson":{"resultUrls":[]}'), urls()),
    (
        "masks in a result object",
        200,
        success(f'"resultJson":"{{\\"resultObject\\":{{\\"mask_urls\\":[\\"{CDN}/m/1.png\\"]}}}}"'),
        urls("m/1.png"),
    ),
    (
        "lyrics in a result object are no file",
        200,
        success('"response":{"resultObject":{"lyricsData":[{"text":"la la"}]}}'),
        urls(),
    ),
    (
        "Suno: tracks",
        200,
        success(
            f'"response":{{"data":[{{"audio_url":"{CDN}/s/1.mp3","stream_audio_url":"{CDN}/s/1"'
            f',"image_url":"{CDN}/s/1.jpg","title":"Harbour","duration":198.4}}'
            f',{{"audio_url":"{CDN}/s/2.mp3","image_url":"{CDN}/s/2.jpg"}}]}}',
            ',"creditsConsumed":12',
        ),
        urls("s/1.mp3", "s/2.mp3", consumed="12"),
    ),
    (
        "Suno, older: tracks",
        200,
        data(f'"status":"SUCCESS","response":{{"sunoData":[{{"audio_url":"{CDN}/s/1.mp3"}}]}}'),
        urls("s/1.mp3"),
    ),
    ("Suno, older: pending", 200, data('"status":"PENDING"'), QUEUED),
    ("Suno, older: words are ready", 200, data('"status":"TEXT_SUCCESS"'), GENERATING),
    ("Suno, older: half done", 200, data('"status":"FIRST_SUCCESS"'), GENERATING),
    (
        "Suno, older: failed",
        200,
        data('"status":"GENERATE_AUDIO_FAILED","errorMessage":"generate failed"'),
        failed("", "generate failed", Reason.KIE_FAILED),
    ),
    *(
        (f"Suno, older: {word}", 200, data(f'"status":"{word}"'), failed("", "", Reason.KIE_FAILED))
        for word in ("CREATE_TASK_FAILED", "CALLBACK_EXCEPTION")
    ),
    (
        "Suno, older: a word",
        200,
        data('"status":"SENSITIVE_WORD_ERROR"'),
        failed("", "", Reason.KIE_POLICY),
    ),
    (
        "water marks beside clean ones",
        200,
        success(
            f'"resultJson":{{"resultUrls":["{CDN}/v/1.mp4"]'
            f',"resultWaterMarkUrls":["{CDN}/v/w.mp4"]}}'
        ),
        urls("v/1.mp4"),
    ),
    (
        "water marks only",
        200,
        success(f'"resultJson":{{"resultWaterMarkUrls":["{CDN}/v/w.mp4"]}}'),
        urls("v/w.mp4"),
    ),
    (
        "Runway, older",
        200,
        data(f'"state":"success","videoInfo":{{"videoUrl":"{CDN}/w/1.mp4"}},"expireFlag":0'),
        urls("w/1.mp4"),
    ),
    ("Runway, older: waiting", 200, data('"state":"wait"'), QUEUED),
    ("Runway, older: in line", 200, data('"state":"queueing"'), QUEUED),
    ("Veo, older: running", 200, data('"successFlag":0,"response":null'), QUEUED),
    (
        "Veo, older: done",
        200,
        data(f'"successFlag":1,"response":{{"resultUrls":["{CDN}/v/1.mp4"]}}'),
        urls("v/1.mp4"),
    ),
    *(
        (
            f"Aleph: flag {flag}",
            200,
            data(
                f'"successFlag":{flag},"errorCode":500'
                ',"errorMessage":"internal error, please try again later."'
            ),
            failed("500", "internal error, please try again later.", Reason.KIE_FAILED),
        )
        for flag in (2, 3)
    ),
    (
        "failed, as in the documentation",
        200,
        data(f'{APRIL},"state":"fail",{INTERNAL},"resultJson":null,"consumeCredits":0'),
        failed("500", "Internal server error", Reason.KIE_FAILED, "0"),
    ),
    (
        "failed in a failing envelope",
        200,
        data(f'{APRIL},"state":"fail","failCode":"501","failMsg":"no"', 501, "Playground failed."),
        failed("501", "no", Reason.KIE_FAILED),
    ),
    (
        "failed by policy",
        200,
        data(f'{APRIL},"state":"fail","failCode":"400","failMsg":"declined","creditsConsumed":0.0'),
        failed("400", "declined", Reason.KIE_POLICY, "0.0"),
    ),
    (
        "failed after ten minutes",
        200,
        data(f'{APRIL},"state":"fail","failCode":"408","failMsg":"upstream timeout"'),
        failed("408", "upstream timeout", Reason.KIE_FAILED),
    ),
    (
        "failed, and says nothing",
        200,
        data(f'{APRIL},"state":"fail","failCode":"","failMsg":null'),
        failed("", "", Reason.KIE_FAILED),
    ),
    (
        "failed, and repeats the prompt",
        200,
        data(f'{FLARE},"state":"fail","failCode":"400","failMsg":"bad: A lighthouse"'),
        failed("400", "bad: ***", Reason.KIE_POLICY),
    ),
    (
        "failed, and repeats the prompt that only paramJson has",
        200,
        data(
            f'{APRIL},"state":"fail","failCode":"500","failMsg":"bad: A lighthouse"'
            f",{PARAM.replace('param', 'paramJson', 1)}"
        ),
        failed("500", "bad: ***", Reason.KIE_FAILED),
    ),
    (
        "a state that nobody has seen",
        200,
        data(f'{APRIL},"state":"Pondering"'),
        Working(phase=Phase.QUEUED, unknown_state="pondering"),
    ),
    (
        "a state that is no word",
        200,
        data(f'{APRIL},"state":"<b>what</b>"'),
        Working(phase=Phase.QUEUED, unknown_state="unreadable"),
    ),
    (
        "a new word for an end that the flag knows",
        200,
        data(f'"state":"done","successFlag":1,"resultJson":{{"resultUrls":["{CDN}/k/1.mp4"]}}'),
        urls("k/1.mp4"),
    ),
    ("unknown task", 200, error(422, "recordInfo is null"), NotFound()),
    ("unknown task, as documented", 200, error(404, "Task not found"), NotFound()),
    ("unknown task, with its status", 404, error(404, "Task not found"), NotFound()),
    ("Suno, older: unknown task", 200, error(200, "success"), NotFound()),
    ("no task named", 200, error(400, "taskId parameter is required"), Trouble.UNREADABLE),
    ("too often", 200, error(429, TOO_FAST), Trouble.RATE),
    ("too often, with its status", 429, error(429, TOO_FAST), Trouble.RATE),
    ("key", 200, error(401, "You do not have access permissions"), Trouble.ACCOUNT),
    ("credits", 200, error(402, "Insufficient Credits"), Trouble.ACCOUNT),
    ("maintenance", 200, error(455, "maintenance"), Trouble.MAINTENANCE),
    ("exception", 200, error(500, SERVER), Trouble.OUTAGE),
    ("timeout", 200, error(408, "timeout"), Trouble.TIMEOUT),
    ("gateway page", 502, HTML_502, Trouble.OUTAGE),
    ("half a body", 200, data(FLARE_DONE)[:300], Trouble.UNREADABLE),
    ("an array", 200, f"[{data(FLARE_DONE)}]", Trouble.UNREADABLE),
    ("too much", 200, data(f'"state":"success","x":"{"x" * 2_000_000}"'), Trouble.UNREADABLE),
]
