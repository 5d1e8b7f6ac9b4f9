"""The notices that come from no step of the dialog: waiting, too busy, too late, our own fault."""

from trt.domain import callback_data as tap
from trt.domain.copy import Copy
from trt.domain.menu_screens import button, home_row
from trt.domain.replies import Screen, ScreenId


def passive_notice(copy: Copy) -> Screen:
    """Return the answer to a message that came while no instance is active."""
    return _refreshable(copy, "notice.passive")


def refused_notice(copy: Copy) -> Screen:
    """Return the answer to a message that came meanwhile and was closed: it must come again."""
    return _refreshable(copy, "notice.refused")


def _refreshable(copy: Copy, key: str) -> Screen:
    return Screen(
        screen_id=ScreenId.NOTICE,
        text=copy.text(key),
        keyboard=((button(copy.plain("button.refresh"), tap.MainMenu()),),),
    )


def passive_toast(copy: Copy) -> str:
    """Return the answer to a tap that came while no instance is active."""
    return copy.plain("toast.passive")


def refused_toast(copy: Copy) -> str:
    """Return the answer to a tap that came meanwhile and was closed: it must come again."""
    return copy.plain("toast.refused")


def too_busy_toast(copy: Copy) -> str:
    """Return the answer to a tap that finds the user's own mailbox full."""
    return copy.plain("toast.too_busy")


def too_busy_notice(copy: Copy) -> Screen:
    """Return the answer to a message that finds the user's own mailbox full."""
    return Screen(screen_id=ScreenId.NOTICE, text=copy.text("toast.too_busy"))


def stale_notice(copy: Copy) -> Screen:
    """Return the answer to what came to be handled too late; nothing was done."""
    return Screen(
        screen_id=ScreenId.NOTICE,
        text=copy.text("notice.stale"),
        keyboard=(home_row(copy),),
    )


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
