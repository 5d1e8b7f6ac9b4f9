"""Every answer to createTask that was printed, and what it means for the order and the money."""

from typing import Any

from tests.kie.printed_bodies import HTML_502, SERVER, TASK, TOO_FAST, error
from trt.domain.reasons import Reason
from trt.kie.errors import Trouble
from trt.kie.outcomes import Busy, Created, OutcomeUnknown, Refused

# Body, outcome, its reason or trouble, whether KIE may charge, whether to try again.

NEVER, MAYBE = False, True
STOP, AGAIN = False, True

UNSUPPORTED = (
    "The model name you specified is not supported. Please verify your input and use one of the"
    " supported models provided by KIE."
)

CREATE: list[tuple[str, int, str, type, Any, bool, bool]] = [
    (
        "accepted, as recorded",
        200,
        f'{{"code":200,"msg":"success","data":{{"taskId":"{TASK}","recordId":"{TASK}"}}}}',
        Created,
        None,
        MAYBE,
        STOP,
    ),
    (
        "accepted, as in the documentation",
        200,
        '{"code":200,"msg":"success","data":{"taskId":"task_nano-banana-pro_1765178625768"}}',
        Created,
        None,
        MAYBE,
        STOP,
    ),
    *(
        (
            f"a field is missing: {msg}",
            200,
            error(500, msg),
            Refused,
            Reason.KIE_REFUSED,
            NEVER,
            STOP,
        )
        for msg in (
            "This field is required",
            "prompt is required",
            "image_url is required",
            "text is required",
            "aspect_ratio is required for text-to-video",
            "Invalid voice parameter: Zoe",
            "This voice is not within the range of allowed options",
            "The speakers parameter cannot be empty",
            "prompt or media is required",
            "Please fill in the text prompt or image, video, or audio",
        )
    ),
    (
        "a field is missing, without data",
        200,
        '{"code":500,"msg":"prompt is required"}',
        Refused,
        Reason.KIE_REFUSED,
        NEVER,
        STOP,
    ),
    *(
        (f"validation: {msg}", 200, error(422, msg), Refused, Reason.KIE_REFUSED, NEVER, STOP)
        for msg in ("voiceId cannot be empty", "Please enter callBackUrl.")
    ),
    *(
        (f"no such model: {msg[:20]}", 200, error(code, msg), Refused, gone, NEVER, STOP)
        for gone in (Reason.KIE_MODEL_GONE,)
        for code, msg in (
            (422, UNSUPPORTED),
            (422, "The page does not exist or is not published"),
            (404, "Not Found"),
            (500, "This interface is temporarily paused."),
            (505, "This feature is currently disabled"),
        )
    ),
    *(
        (f"policy: {code}", 200, error(code, msg), Refused, Reason.KIE_POLICY, NEVER, STOP)
        for code, msg in (
            (400, "The prompt violates the content policy"),
            (400, "Only English prompts are supported"),
            (451, "Failed to fetch the image"),
        )
    ),
    *(
        (f"credits: {code}", http, error(code, msg), Refused, Reason.KIE_NO_CREDITS, NEVER, STOP)
        for http, code, msg in (
            (200, 402, "Insufficient Credits"),
            (402, 402, "Insufficient Credits"),
            (200, 500, "Credits insufficient"),
            (500, 500, "Credits insufficient"),
            (200, 429, "Insufficient credits"),
        )
    ),
    *(
        (f"account: {code}", http, error(code, msg), Refused, Reason.KIE_ACCOUNT, NEVER, STOP)
        for http, code, msg in (
            (200, 401, "You do not have access permissions"),
            (200, 401, "Unauthorized – Authentication failed"),
            (401, 401, "Unauthorized – Authentication failed"),
            (200, 433, "Sub-key usage limit exceeded"),
        )
    ),
    *(
        (f"later: {http} {code}", http, error(code, msg), Busy, trouble, NEVER, AGAIN)
        for http, code, msg, trouble in (
            (200, 429, TOO_FAST, Trouble.RATE),
            (429, 429, TOO_FAST, Trouble.RATE),
            (200, 430, "Your call frequency is too high", Trouble.RATE),
            (200, 405, "Rate limited", Trouble.RATE),
            (200, 455, "The service is currently undergoing maintenance", Trouble.MAINTENANCE),
            (200, 500, SERVER, Trouble.OUTAGE),
            (200, 500, f"{SERVER} or contact customer service", Trouble.OUTAGE),
            (500, 500, "Internal server error", Trouble.OUTAGE),
        )
    ),
    (
        "failed at once",
        200,
        error(501, "Generation Failed"),
        Refused,
        Reason.KIE_FAILED,
        NEVER,
        STOP,
    ),
    ("upstream timeout", 200, error(408, "Upstream timeout"), OutcomeUnknown, None, MAYBE, STOP),
    ("gateway page", 502, HTML_502, OutcomeUnknown, None, MAYBE, STOP),
    ("gateway page with 200", 200, HTML_502, OutcomeUnknown, None, MAYBE, STOP),
    (
        "half a body",
        200,
        '{"code":200,"msg":"success","data":{"taskI',
        OutcomeUnknown,
        None,
        MAYBE,
        STOP,
    ),
    ("no body", 200, "", OutcomeUnknown, None, MAYBE, STOP),
    ("an array", 200, f'[{{"taskId":"{TASK}"}}]', OutcomeUnknown, None, MAYBE, STOP),
    ("a string", 200, '"success"', OutcomeUnknown, None, MAYBE, STOP),
    (
        "too much",
        200,
        '{"code":200,"data":"' + "x" * 2_000_000 + '"}',
        OutcomeUnknown,
        None,
        MAYBE,
        STOP,
    ),
]
