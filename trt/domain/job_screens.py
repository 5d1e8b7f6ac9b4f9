"""What a job says from its acceptance to its end, and the list of a user's own jobs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, assert_never

from attrs import frozen

from trt.domain import callback_data as tap
from trt.domain.copy import Copy
from trt.domain.job import MAY_COME_LATE, Job, JobState, Phase
from trt.domain.job_timing import Forecast
from trt.domain.menu_screens import button, home_row
from trt.domain.model_card import Catalogue, ModelCard, OutputKind
from trt.domain.reasons import Reason
from trt.domain.replies import Button, Keyboard, Screen, ScreenId, SendResult

FAILURE_KEYS: Final[Mapping[Reason, str]] = {
    Reason.KIE_REFUSED: "failure.refused",
    Reason.KIE_POLICY: "failure.policy",
    Reason.KIE_MODEL_GONE: "failure.gone",
    Reason.KIE_ACCOUNT: "failure.service",
    Reason.KIE_NO_CREDITS: "failure.credits",
    Reason.KIE_UNAVAILABLE: "failure.unavailable",
    Reason.KIE_FAILED: "failure.generation",
    Reason.KIE_NO_RESULT: "failure.no_result",
    Reason.SUBMIT_UNKNOWN: "failure.lost",
    Reason.DEADLINE: "failure.deadline",
    Reason.DELIVERY_FAILED: "failure.delivery",
    Reason.MODEL_DISABLED: "failure.disabled",
    Reason.PICTURE_TOO_BIG: "failure.picture_too_big",
    Reason.PICTURE_GONE: "failure.picture_gone",
    Reason.PICTURE_UNFIT: "failure.picture_unfit",
    Reason.USER_CANCELLED: "failure.cancelled",
}
"""Every other reason is our own fault and says so: `failure.crashed`."""
URLS_MAX: Final = 10
"""Files sent together at most (Bot API, sendMediaGroup)."""
OWN_JOBS_MAX: Final = 12
"""Jobs on one list: their buttons stay within the 100 that Telegram shows."""


# A job's life. `card` is None when the model left the registry while the job was under way.


def accepted(job: Job, card: ModelCard | None, copy: Copy) -> Screen:
    """Return the first status: the order is taken and the money held."""
    held = copy.text("job.held", price=copy.money(job.price_kopecks))
    return _waiting(job, copy, [_title("job.accepted", job, card, copy), held])


def in_line(job: Job, card: ModelCard | None, copy: Copy, place: int) -> Screen:
    """Return the status of a job that waits until it may be handed to the vendor."""
    held = copy.text("job.held", price=copy.money(job.price_kopecks))
    title = copy.text("job.in_line", title=_model(job, card), place=place)
    return _waiting(job, copy, [title, held])


def working(
    job: Job, card: ModelCard | None, copy: Copy, phase: Phase, forecast: Forecast | None = None
) -> Screen:
    """Return the status of a job that the vendor has, with how long it usually takes.

    Args:
        job: The job.
        card: Its model.
        copy: The words.
        phase: What the vendor is doing.
        forecast: How long the model took lately; None where nobody knows yet.
    """
    match phase:
        case Phase.QUEUED:
            title = _title("job.queued", job, card, copy)
        case Phase.GENERATING:
            title = _title("job.generating", job, card, copy)
        case _:
            assert_never(phase)
    paragraphs = [title]
    if forecast is not None:
        usual, long = copy.duration(forecast.usual_s), copy.duration(forecast.long_s)
        key = "job.duration" if usual == long else "job.duration_measured"
        paragraphs.append(copy.text(key, duration=usual, longest=long))
    elif card is not None:
        paragraphs.append(copy.text("job.duration", duration=copy.duration(card.duration_s)))
    return _status(ScreenId.PROCESSING, paragraphs)


def done(job: Job, card: ModelCard | None, copy: Copy, *, is_whole: bool = True) -> Screen:
    """Return the last status of a delivered job: what was paid, and whether a part is missing."""
    paragraphs = [_title("job.done", job, card, copy)]
    if not is_whole:
        paragraphs.append(copy.text("job.partly"))
    paragraphs.append(copy.text("job.paid", price=copy.money(job.price_kopecks)))
    # An album has no buttons of its own.
    keyboard = result_keyboard(job, copy) if len(job.result_urls) > 1 else ()
    return _status(ScreenId.RESULT, paragraphs, keyboard)


def undelivered(
    job: Job, card: ModelCard | None, copy: Copy, *, is_part_sent: bool = False
) -> Screen:
    """Return the offer to fetch a result that could not be sent, or not all of it."""
    title = "job.undelivered_rest" if is_part_sent else "job.undelivered"
    offer = [copy.text("job.undelivered_offer")]
    if job.state is JobState.DELIVERING:
        offer.append(copy.text("job.undelivered_money"))
    return _status(
        ScreenId.RESULT,
        [_title(title, job, card, copy), *offer],
        ((button(copy.plain("button.get_result"), tap.GetResult(job.job_id)),),),
    )


def results(job: Job, card: ModelCard | None, copy: Copy) -> tuple[SendResult, ...]:
    """Return what hands over the files of a job, in messages that Telegram takes."""
    is_late = job.state is JobState.FAILED
    caption = copy.text("result.late" if is_late else "result.caption", title=_model(job, card))
    return tuple(
        SendResult(
            job_id=job.job_id,
            output=OutputKind.IMAGE if card is None else card.output,
            urls=job.result_urls[at : at + URLS_MAX],
            caption=caption,
            keyboard=result_keyboard(job, copy),
            link_words=copy.text("result.link"),
        )
        for at in range(0, len(job.result_urls), URLS_MAX)
    )


def result_keyboard(job: Job, copy: Copy) -> Keyboard:
    """Return what to do after a result or a failure: the same again, or home."""
    return (
        (
            button(copy.plain("button.repeat"), tap.Repeat(job.job_id)),
            *home_row(copy, is_new=True),
        ),
    )


def failed(
    job: Job,
    card: ModelCard | None,
    copy: Copy,
    reason: Reason,
    balance_kopecks: int,
    *,
    is_part_sent: bool = False,
) -> Screen:
    """Return what happened, how much money came back and what the balance is now.

    Args:
        job: The failed job; its whole price is released.
        card: Its model.
        copy: The words.
        reason: Why it failed.
        balance_kopecks: What the user can spend after the release.
        is_part_sent: Whether some of the files have arrived all the same.
    """
    is_wish = reason is Reason.USER_CANCELLED
    why = "failure.delivery_rest" if is_part_sent else FAILURE_KEYS.get(reason, "failure.crashed")
    paragraphs = [
        _title("job.cancelled" if is_wish else "job.failed", job, card, copy),
        copy.text(why),
        copy.text(
            "job.refunded",
            price=copy.money(job.price_kopecks),
            balance=copy.money(balance_kopecks),
        ),
    ]
    if reason in MAY_COME_LATE:
        paragraphs.append(copy.text("job.may_come_late"))
    return _status(ScreenId.FAILURE, paragraphs, result_keyboard(job, copy))


def _waiting(job: Job, copy: Copy, paragraphs: list[str]) -> Screen:
    cancel = button(copy.plain("button.take_back"), tap.TakeBack(job.job_id))
    return _status(ScreenId.PROCESSING, paragraphs, ((cancel,),))


def _title(key: str, job: Job, card: ModelCard | None, copy: Copy) -> str:
    return copy.text(key, title=_model(job, card))


def _model(job: Job, card: ModelCard | None) -> str:
    return job.model_id if card is None else card.title


def _status(screen_id: ScreenId, paragraphs: list[str], keyboard: Keyboard = ()) -> Screen:
    return Screen(screen_id=screen_id, text="\n\n".join(paragraphs), keyboard=keyboard)


# The list.


@frozen(kw_only=True)
class OwnJob:
    """A job and what is known about it beside its row."""

    job: Job
    place: int | None = None
    """In the queue before the vendor, if it stands there."""
    forecast: Forecast | None = None


def own_jobs(own: Sequence[OwnJob], catalogue: Catalogue, copy: Copy, now: datetime) -> Screen:
    """Return a user's unfinished and last finished jobs, with what can be done about each.

    Args:
        own: The jobs, newest first; only so many are shown as fit.
        catalogue: The models.
        copy: The words.
        now: The time, for what is left and for which results still live.
    """
    shown, cards = own[:OWN_JOBS_MAX], catalogue.models
    lines = [
        copy.text(
            "own_jobs.line",
            number=number,
            title=_model(one.job, cards.get(one.job.model_id)),
            state=_state(one, cards.get(one.job.model_id), copy, now),
        )
        for number, one in enumerate(shown, 1)
    ]
    refresh = (button(copy.plain("button.refresh"), tap.OpenJobs()),)
    return Screen(
        screen_id=ScreenId.JOBS,
        text="\n\n".join([copy.text("own_jobs.title"), *(lines or [copy.text("own_jobs.empty")])]),
        keyboard=(
            *(row for n, one in enumerate(shown, 1) if (row := _buttons(n, one.job, copy, now))),
            *((refresh,) if shown else ()),
            home_row(copy),
        ),
    )


def _buttons(number: int, job: Job, copy: Copy, now: datetime) -> tuple[Button, ...]:
    offered: list[tuple[str, tap.Tap]] = []
    if job.state is JobState.RESERVED:
        offered.append(("button.take_back_one", tap.TakeBack(job.job_id, is_listed=True)))
    if job.has_result(now):
        offered.append(("button.get_result_one", tap.GetResult(job.job_id)))
    if job.state.is_final:
        offered.append(("button.repeat_one", tap.Repeat(job.job_id)))
    return tuple(button(copy.plain(key, number=number), data) for key, data in offered)


_STATE_KEYS: Final[Mapping[JobState, str]] = {
    JobState.RESERVED: "own_jobs.reserved",
    JobState.SUBMITTING: "own_jobs.submitting",
    JobState.SUBMIT_UNKNOWN: "own_jobs.submit_unknown",
    JobState.DELIVERING: "own_jobs.delivering",
    JobState.DELIVERED: "own_jobs.delivered",
}


def _state(one: OwnJob, card: ModelCard | None, copy: Copy, now: datetime) -> str:
    job = one.job
    if job.state is JobState.RUNNING:
        return _left(one, card, copy, now)
    if job.state is JobState.RESERVED and one.place:
        return copy.plain("own_jobs.in_line", place=one.place)
    key = _failure_key(job) if job.state is JobState.FAILED else _STATE_KEYS[job.state]
    return copy.plain(key, price=copy.money(job.price_kopecks))


def _failure_key(job: Job) -> str:
    if job.reason is Reason.USER_CANCELLED:
        return "own_jobs.cancelled"
    is_late = job.reason in MAY_COME_LATE and job.result_urls
    return "own_jobs.late" if is_late else "own_jobs.failed"


def _left(one: OwnJob, card: ModelCard | None, copy: Copy, now: datetime) -> str:
    """Say how long a running job will still take: by half of its kind, then by nine in ten."""
    if one.forecast is not None:
        expected_s = [one.forecast.usual_s, one.forecast.long_s]
    else:
        expected_s = [] if card is None else [float(card.duration_s)]
    since = one.job.submitted_at or one.job.created_at
    age_s = (now - since).total_seconds()
    for each_s in expected_s:
        if each_s > age_s:
            return copy.plain("own_jobs.running", left=copy.duration(each_s - age_s))
    return copy.plain("own_jobs.running_long")
