"""The steps about what the bot knows of a user: the notice, and its deletion."""

from attrs import evolve

from trt.domain import callback_data as tap
from trt.domain.menu_screens import button, home_row
from trt.domain.reasons import Reason
from trt.domain.replies import Button, Keyboard, Screen, ScreenId
from trt.domain.scene import Scene
from trt.domain.turn import Erase, Turn


def notice(scene: Scene) -> Turn:
    """Say what is kept, for how long, and offer to delete it."""
    keyboard = (_row(scene, "button.forget", tap.Forget()), home_row(scene.copy))
    return scene.show("privacy_cmd", _screen(scene, "legal.privacy", keyboard))


def forget(scene: Scene, *, is_confirmed: bool) -> Turn:
    """Ask whether to delete, then delete; not while an order is under way: it needs its words."""
    copy = scene.copy
    if any(not own.job.state.is_final for own in scene.situation.own_jobs):
        keyboard = (_row(scene, "button.jobs", tap.OpenJobs()), home_row(copy))
        busy = _screen(scene, "forget.busy", keyboard)
        toast = copy.plain("toast.forget_busy")
        return scene.show("forget_cb", busy, toast=toast, reason=Reason.STATE_MISMATCH)
    if not is_confirmed:
        yes = _row(scene, "button.forget_yes", tap.Forget(is_confirmed=True))
        return scene.show("forget_cb", _screen(scene, "forget.question", (yes, home_row(copy))))
    emptied = evolve(scene.session, draft=None, last_draft_id=None)
    turn = scene.with_session(emptied).home("forget_yes_cb", copy.text("forget.done"))
    return evolve(turn, effects=(*turn.effects, Erase()))


def _screen(scene: Scene, key: str, keyboard: Keyboard) -> Screen:
    return Screen(screen_id=ScreenId.LEGAL, text=scene.copy.text(key), keyboard=keyboard)


def _row(scene: Scene, key: str, to: tap.Tap) -> tuple[Button, ...]:
    return (button(scene.copy.plain(key), to),)
