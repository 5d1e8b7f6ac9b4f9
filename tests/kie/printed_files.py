"""Every callback and every answer about files and credits that was printed."""

from decimal import Decimal
from typing import Any

from tests.kie.printed_bodies import CDN, FILES, HTML_502, INTERNAL, TASK, data, error
from trt.domain.reasons import Reason
from trt.kie.errors import Trouble
from trt.kie.outcomes import DownloadLink, RefusedResult, Uploaded, UploadRefused

# Callbacks: the body and the task that it names; nothing else of it is believed.

CALLBACK_PARAM = (
    r'"param":"{\"callBackUrl\":\"https://your-domain.com/api/callback\",\"input\":{}}"'
)
TIMES = '"costTime":8,"createTime":1755599634000,"completeTime":1755599644000'
WELL, ILL = "Playground task completed successfully.", "Playground task failed."


def called(more: str, code: int = 200, msg: str = WELL) -> str:
    return data(f'"taskId":"{TASK}","model":"m",{CALLBACK_PARAM},{TIMES},{more}', code, msg)


URLS = r'"state":"success","resultJson":"{\"resultUrls\":[\"https://example.com/a.png\"]}"'
MARKS = r'"state":"success","resultJson":"{\"resultWaterMarkUrls\":[\"https://example.com/w\"]}"'
FAIL = f'"state":"fail",{INTERNAL}'

CALLBACK: list[tuple[str, str]] = [
    ("2025: success", called(f'{URLS},"updateTime":1,"consumeCredits":100,"remainedCredits":5')),
    ("2025: fail", called(f'{FAIL},"consumeCredits":0,"remainedCredits":2510430', 501, ILL)),
    ("newer: success", called(f'{URLS},"failCode":null,"failMsg":null,"creditsConsumed":6.0')),
    ("newer: fail", called(f'{FAIL},"resultJson":null', 501, ILL)),
    ("fail without a result", called(FAIL, 501, ILL)),
    ("fail, seedream's 400", called(FAIL, 400, ILL)),
    ("fail, seedream's 500", called(FAIL, 500, ILL)),
    ("Sora: water marks", called(MARKS)),
    ("the webhook page's name", f'{{"code":200,"data":{{"task_id":"{TASK}"}}}}'),
    ("at the top", f'{{"taskId":"{TASK}","state":"success"}}'),
    ("4o image", f'{{"code":200,"data":{{"taskId":"{TASK}","info":{{"result_urls":["x"]}}}}}}'),
]

# Files and credits

STORED = (
    '{{"success":true,"code":200,"msg":"File uploaded successfully","data":{{"success":true'
    ',"fileName":"a.png","filePath":"kieai/136592/images/a.png","downloadUrl":"{url}"'
    ',"fileSize":188328,"mimeType":"image/png","uploadedAt":"2026-10-01T07:46:53.882Z"}}}}'
)
STORED_AT = f"{FILES}/kieai/136592/images/a.png"


def upload_refused(reason: Reason, code: int, detail: str) -> UploadRefused:
    return UploadRefused(reason=reason, code=code, detail=detail)


UPLOAD: list[tuple[str, int, str, Any]] = [
    ("stored, as recorded", 200, STORED.format(url=STORED_AT), Uploaded(url=STORED_AT)),
    (
        "stored, as in the quickstart",
        200,
        f'{{"success":true,"code":200,"data":{{"fileId":"f1","fileUrl":"{STORED_AT}"}}}}',
        Uploaded(url=STORED_AT),
    ),
    (
        "stored on somebody else's host",
        200,
        STORED.format(url="https://0x0.test/a.png"),
        upload_refused(Reason.KIE_REFUSED, 200, "its host is not on the list"),
    ),
    (
        "key",
        200,
        '{"success":false,"code":401,"msg":"Unauthorized"}',
        upload_refused(Reason.KIE_ACCOUNT, 401, "Unauthorized"),
    ),
    (
        "bad request",
        400,
        '{"success":false,"code":400,"msg":"Invalid file"}',
        upload_refused(Reason.KIE_REFUSED, 400, "Invalid file"),
    ),
    (
        "method",
        200,
        '{"success":false,"code":405,"msg":"Method not allowed"}',
        upload_refused(Reason.KIE_REFUSED, 405, "Method not allowed"),
    ),
    ("outage", 200, '{"success":false,"code":500,"msg":"Upload failed"}', Trouble.OUTAGE),
    ("stored nowhere", 200, '{"success":true,"code":200,"data":{}}', Trouble.UNREADABLE),
    ("gateway page", 502, HTML_502, Trouble.OUTAGE),
    ("half a body", 200, STORED.format(url=STORED_AT)[:60], Trouble.UNREADABLE),
]

LINK: list[tuple[str, int, str, Any]] = [
    (
        "a link",
        200,
        f'{{"code":200,"msg":"success","data":"{CDN}/d/1?sign=a"}}',
        DownloadLink(url=f"{CDN}/d/1?sign=a"),
    ),
    ("a foreign address", 200, error(422, "url is wrong"), RefusedResult(why="422 url is wrong")),
    (
        "a link to somebody else's host",
        200,
        '{"code":200,"msg":"success","data":"https://evil.test/a"}',
        RefusedResult(why="its host is not on the list"),
    ),
    ("key", 200, error(401, "You do not have access permissions"), Trouble.ACCOUNT),
    ("nothing", 200, error(200, "success"), Trouble.UNREADABLE),
    ("gateway page", 502, HTML_502, Trouble.OUTAGE),
]

CREDIT: list[tuple[str, int, str, Any]] = [
    ("a fraction", 200, '{"code":200,"msg":"success","data":5916.25}', Decimal("5916.25")),
    ("a whole number", 200, '{"code":200,"msg":"success","data":100}', Decimal(100)),
    ("none left", 200, '{"code":200,"msg":"success","data":0}', Decimal(0)),
    ("key", 200, error(401, "You do not have access permissions"), Trouble.ACCOUNT),
    ("no key, and a number", 200, '{"code":401,"msg":"No key","data":0}', Trouble.ACCOUNT),
    ("nothing", 200, error(200, "success"), Trouble.UNREADABLE),
    ("gateway page", 502, HTML_502, Trouble.OUTAGE),
]

# The catalogue and the prices: the bot asks for none of them, and outlives them anywhere.

CATALOGUE: list[tuple[int, str]] = [
    (
        200,
        data(
            '"total":1,"models":[{"model":"z-image","slug":"z-image","title":"Z-Image","provider":"m"'
            ',"taskType":["text-to-image"],"description":null,"pricingDesc":null}]'
        ),
    ),
    (200, data('"model":"z-image","openapi":{"openapi":"3.1.0","paths":{}}')),
    (200, data('"model":"z-image","openapi":null')),
    (404, error(404, "Not Found")),
    (200, data('"model":"z-image","pricingDesc":"0.8 credits"')),
    (200, data('"model":"z-image","pricingDesc":null')),
    (
        200,
        data(
            '"model":"z-image","points":[{"start":1,"end":2,"successRate":null,"errorRate":null'
            ',"isNormal":true}]'
        ),
    ),
    (
        200,
        data(
            '"records":[{"modelDescription":"z-image","interfaceType":"image","provider":"m"'
            ',"creditPrice":"0.8","creditUnit":"per image","usdPrice":"0.004","falPrice":null'
            ',"discountRate":0,"anchor":null,"discountPrice":null}],"pages":1,"total":1'
        ),
    ),
]
