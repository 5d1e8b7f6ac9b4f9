"""What the operator reads when something about money or the vendor needs them."""

from collections.abc import Mapping
from typing import Final

from trt.domain.copy import Copy
from trt.domain.ids import Cid
from trt.domain.replies import Screen, ScreenId

_KOPECKS: Final = "_kopecks"


def alarm_notice(
    copy: Copy, key: str, cid: Cid, values: Mapping[str, str | int | float | bool | None]
) -> Screen:
    """Return what happened, and under which number the whole story is found.

    Args:
        copy: The words.
        key: Of the text.
        cid: What it is about.
        values: Of the text; a name that ends in `_kopecks` is also there as money, without the
            ending.
    """
    words = {name: str(value) for name, value in values.items() if value is not None}
    amounts = {
        name.removesuffix(_KOPECKS): copy.money(value)
        for name, value in values.items()
        if name.endswith(_KOPECKS) and isinstance(value, int)
    }
    told = copy.text(key, **(words | amounts | {"cid": cid}))
    trace = copy.text("alarm.trace", cid=cid)
    return Screen(screen_id=ScreenId.NOTICE, text=f"{told}\n\n{trace}")
