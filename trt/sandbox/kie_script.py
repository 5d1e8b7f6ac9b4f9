"""What the pretended KIE is told to do: its options, and scripts for single tasks."""

from typing import Literal

from attrs import frozen

Shape = Literal["urls", "object", "suno", "watermark", "lyrics", "none"]
"""Of a result: as most models write it, masks in a `resultObject`, tracks of Suno, only with a
water mark, a text in a `resultObject`, or a success that holds nothing."""


@frozen(kw_only=True)
class Callbacks:
    """How the callback of one task travels."""

    copies: int = 1
    """0: lost. 2: delivered twice."""
    delay_s: float = 0.0
    """After the task ended."""
    is_before_answer: bool = False
    """The task ends at once, and its callback is delivered before createTask answers."""


ON = Callbacks()
OFF = Callbacks(copies=0)
TWICE = Callbacks(copies=2)
BEFORE_ANSWER = Callbacks(is_before_answer=True)


def delayed(delay_s: float) -> Callbacks:
    """Return callbacks that come `delay_s` seconds after the task ended."""
    return Callbacks(delay_s=delay_s)


@frozen(kw_only=True)
class Succeed:
    """The task makes its files; `after_s` and `callbacks` None: as the options say."""

    after_s: float | None = None
    files: int = 1
    callbacks: Callbacks | None = None
    shape: Shape = "urls"


@frozen(kw_only=True)
class Fail:
    """The task ends in state fail and its credits come back."""

    code: str = "500"
    msg: str = "Internal server error"
    after_s: float | None = None
    callbacks: Callbacks | None = None


UPSTREAM_TIMEOUT = Fail(code="408", msg="Upstream timeout, no result", after_s=600.0)
"""KIE waited ten minutes for the model behind it."""
POLICY = Fail(code="400", msg="The prompt was flagged as violating the content policy")


@frozen(kw_only=True)
class Never:
    """The task never ends."""


@frozen(kw_only=True)
class Refuse:
    """The createTask is declined in the envelope: no task, no charge."""

    code: int = 500
    msg: str = "Server exception, please try again later"


Script = Succeed | Fail | Never | Refuse


@frozen(kw_only=True)
class KIEOptions:
    """How this KIE behaves where no script says otherwise."""

    duration_s: float = 4.0
    """How long a picture takes; a clip takes `video_factor` times that."""
    video_factor: float = 2.0
    jitter: float = 0.25
    """A duration varies by up to this fraction to either side."""
    callback_delay_s: float = 0.0
    callback_loss: float = 0.0
    """The fraction of tasks whose callback never comes."""
    callback_duplicates: float = 0.0
    """The fraction of tasks whose callback comes twice."""
    callback_early: float = 0.0
    """The fraction of tasks that end at once, with a callback before createTask's answer."""
    callback_reorder: float = 0.0
    """The fraction of tasks whose callback is overtaken by later ones."""
    callback_reorder_s: float = 60.0
    callback_before_response: bool = False
    answer_loss: float = 0.0
    """The fraction of createTask calls whose answer never comes though the task was made."""
    answer_lost_after_s: float = 60.0
    callback_timeout_s: float = 15.0
    callback_retries_s: tuple[float, ...] = (5.0, 30.0, 60.0)
    """Pauses before the retries: at most three are documented, the pauses are not."""
    shape: str = "2026-10"
    """Of recordInfo: "2026-10", or "2026-04" without the fields that came later."""
    hmac_key: str | None = None
    """With it callbacks are signed as KIE's webhook verification page says."""
    hmac_age_s: float = 0.0
    """How long ago they say that was: more than nothing of one that is played again."""
    credits: float = 10_000.0
    credits_code: int = 402
    """How a lack of credits is told: 402 "Insufficient Credits" or 500 "Credits insufficient"."""
    visible_after_s: float = 0.0
    """How long recordInfo does not know a new task."""
    uploads_kept_s: float = 24 * 60 * 60.0
    paused_models: frozenset[str] = frozenset()
    results_kept_s: float = 14 * 24 * 60 * 60.0
    is_rate_limited: bool = True

    def __attrs_post_init__(self) -> None:
        assert self.shape in {"2026-10", "2026-04"}, self.shape
        assert self.credits_code in {402, 500}, self.credits_code
        assert 0 <= self.callback_loss + self.callback_duplicates <= 1
        assert 0 <= self.jitter < 1
