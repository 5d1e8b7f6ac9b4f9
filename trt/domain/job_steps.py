"""What a user can do about the jobs that are under way or done: look, cancel, fetch, repeat."""

from collections.abc import Mapping
from typing import Final, assert_never

from trt.domain import callback_data as tap
from trt.domain import job_screens, order_steps
from trt.domain.ids import JobId
from trt.domain.job import JobState
from trt.domain.reasons import Reason
from trt.domain.replies import Screen, ShowScreen
from trt.domain.scene import Scene
from trt.domain.turn import Accepted, Effect, EndJob, Turn


def tapped(scene: Scene, data: tap.JobTap) -> Turn:
    """Carry out a button that is about jobs."""
    match data:
        case tap.Repeat():
            return order_steps.repeat(scene, scene.situation.past_job)
        case tap.OpenJobs():
            return own_jobs(scene, "jobs_cb")
        case tap.TakeBack(is_listed=is_listed):
            return _take_back(scene, is_listed=is_listed)
        case tap.GetResult():
            return _get_result(scene)
        case _:
            assert_never(data)


def own_jobs(scene: Scene, handler: str) -> Turn:
    """Show the list."""
    return scene.show(handler, _list(scene))


def _list(scene: Scene, without: JobId | None = None) -> Screen:
    """Return the list; `without` is a job that ends in this very step."""
    situation = scene.situation
    own = [one for one in situation.own_jobs if one.job.job_id != without]
    return job_screens.own_jobs(own, situation.catalogue, scene.copy, situation.now)


_WHY_KEPT: Final[Mapping[JobState, str]] = {
    JobState.DELIVERING: "toast.take_back_done",
    JobState.DELIVERED: "toast.take_back_done",
    JobState.FAILED: "toast.take_back_ended",
}


def _take_back(scene: Scene, *, is_listed: bool) -> Turn:
    """Cancel an order while the vendor does not have it; after that nobody can.

    A generation that has begun costs the vendor's price whether somebody waits for it or not. It is
    paid by the user only when it is delivered, so there is nothing to gain by dropping it.
    """
    handler, job, copy = "take_back_cb", scene.situation.past_job, scene.copy
    if job is None:
        return scene.outdated(handler, Reason.STATE_MISMATCH)
    if job.state is not JobState.RESERVED:
        key = _WHY_KEPT.get(job.state, "toast.take_back_late")
        return scene.stay(handler, copy.plain(key), Reason.STATE_MISMATCH)
    effects: tuple[Effect, ...] = (*scene.answer(copy.plain("toast.taken_back")), EndJob(job))
    if is_listed:
        shown = _list(scene, without=job.job_id)
        effects += (ShowScreen(screen=shown, edit_message_id=scene.message_id),)
    return Turn(session=scene.session, effects=effects, outcome=Accepted(handler))


def _get_result(scene: Scene) -> Turn:
    """Send a result once more, for nothing, as long as it lives."""
    handler, job, copy = "get_result_cb", scene.situation.past_job, scene.copy
    if job is None:
        return scene.outdated(handler, Reason.STATE_MISMATCH)
    if scene.situation.is_result_on_its_way:
        return scene.stay(handler, copy.plain("toast.result_on_its_way"), Reason.NOOP)
    if not job.has_result(scene.situation.now):
        return scene.stay(handler, copy.plain("toast.result_gone"), Reason.STATE_MISMATCH)
    card = scene.situation.catalogue.models.get(job.model_id)
    return Turn(
        session=scene.session,
        effects=(
            *scene.answer(copy.plain("toast.result_comes")),
            *job_screens.results(job, card, copy),
        ),
        outcome=Accepted(handler),
    )
