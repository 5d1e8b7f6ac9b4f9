"""What a job says from acceptance to the end, and the notices that come from no dialog."""

from collections.abc import Mapping
from typing import Final, assert_never

from trt.domain import callback_data as tap
from trt.domain.copy import Copy
from trt.domain.job import Job, Phase
from trt.domain.menu_screens import button, home_row
from trt.domain.model_card import ModelCard
from trt.domain.reasons import Reason
from trt.domain.replies import Keyboard, Screen, ScreenId

FAILURE_KEYS: Final[Mapping[Reason, str]] = {
    Reason.KIE_REFUSED: "failure.refused",
    Reason.KIE_ACCOUNT: "failure.service",
    Reason.KIE_UNAVAILABLE: "failure.unavailable",
    Reason.KIE_FAILED: "failure.generation",
    Reason.KIE_NO_RESULT: "failure.no_result",
    Reason.SUBMIT_UNKNOWN: "failure.lost",
    Reason.DEADLINE: "failure.deadline",
    Reason.DELIVERY_FAILED: "failure.delivery",
    Reason.MODEL_DISABLED: "failure.disabled",
}
"""Every other reason is our own fault and says so: `failure.crashed`."""


# A job's life. `card` is None when the model left the registry while the job was under way.


def accepted(job: Job, card: ModelCard | None, copy: Copy) -> Screen:
    """Return the first status: the order is taken and the money held."""
    held = copy.text("job.held", price=copy.money(job.price_kopecks))
    return _status(ScreenId.PROCESSING, [_title("job.accepted", job, card, copy), held])


def working(job: Job, card: ModelCard | None, copy: Copy, phase: Phase) -> Screen:
    """Return the status of a job that the vendor has, with how long it usually takes."""
    match phase:
        case Phase.QUEUED:
            title = _title("job.queued", job, card, copy)
        case Phase.GENERATING:
            title = _title("job.generating", job, card, copy)
        case _:
            assert_never(phase)
    paragraphs = [title]
    if card is not None:
        paragraphs.append(copy.text("job.duration", duration=copy.duration(card.duration_s)))
    return _status(ScreenId.PROCESSING, paragraphs)


def done(job: Job, card: ModelCard | None, copy: Copy) -> Screen:
    """Return the last status of a delivered job: what was paid."""
    paid = copy.text("job.paid", price=copy.money(job.price_kopecks))
    return _status(ScreenId.RESULT, [_title("job.done", job, card, copy), paid])


def result_caption(job: Job, card: ModelCard | None, copy: Copy) -> str:
    """Return the caption (HTML, far below 1024 characters) of the delivered file."""
    return copy.text("result.caption", title=_model(job, card))


def result_keyboard(job: Job, copy: Copy) -> Keyboard:
    """Return what to do after a result or a failure: the same again, or home."""
    return (
        (
            button(copy.plain("button.repeat"), tap.Repeat(job.job_id)),
            *home_row(copy, is_new=True),
        ),
    )


def failed(
    job: Job, card: ModelCard | None, copy: Copy, reason: Reason, balance_kopecks: int
) -> Screen:
    """Return what happened, how much money came back and what the balance is now.

    Args:
        job: The failed job; its whole price is released.
        card: Its model.
        copy: The words.
        reason: Why it failed.
        balance_kopecks: What the user can spend after the release.
    """
    return Screen(
        screen_id=ScreenId.FAILURE,
        text="\n\n".join(
            [
                _title("job.failed", job, card, copy),
                copy.text(FAILURE_KEYS.get(reason, "failure.crashed")),
                copy.text(
                    "job.refunded",
                    price=copy.money(job.price_kopecks),
                    balance=copy.money(balance_kopecks),
                ),
            ]
        ),
        keyboard=result_keyboard(job, copy),
    )


def _title(key: str, job: Job, card: ModelCard | None, copy: Copy) -> str:
    return copy.text(key, title=_model(job, card))


def _model(job: Job, card: ModelCard | None) -> str:
    return job.model_id if card is None else card.title


def _status(screen_id: ScreenId, paragraphs: list[str]) -> Screen:
    return Screen(screen_id=screen_id, text="\n\n".join(paragraphs))


# Notices that no dialog step makes.


def passive_notice(copy: Copy) -> Screen:
    """Return the answer to a message that came while no instance is active."""
    return Screen(
        screen_id=ScreenId.NOTICE,
        text=copy.text("notice.passive"),
        keyboard=((button(copy.plain("button.refresh"), tap.MainMenu()),),),
    )


def passive_toast(copy: Copy) -> str:
    """Return the answer to a tap that came while no instance is active."""
    return copy.plain("toast.passive")


def too_busy_toast(copy: Copy) -> str:
    """Return the answer to a tap that finds the user's own mailbox full."""
    return copy.plain("toast.too_busy")


def too_busy_notice(copy: Copy) -> Screen:
    """Return the answer to a message that finds the user's own mailbox full."""
    return Screen(screen_id=ScreenId.NOTICE, text=copy.text("toast.too_busy"))


def crashed_notice(copy: Copy) -> Screen:
    """Return the answer to a message on which our own code failed; nothing was charged."""
    return Screen(
        screen_id=ScreenId.NOTICE,
        text=copy.text("notice.crashed"),
        keyboard=(home_row(copy),),
    )


def crashed_toast(copy: Copy) -> str:
    """Return the answer to a tap on which our own code failed; nothing was charged."""
    return copy.plain("toast.crashed")
