"""A story, and a list of taps, as an operator reads them."""

from collections.abc import Sequence

from trt.ops.story import Story
from trt.ops.taps import Tap
from trt.ops.wording import count, duration, moment, precise_moment, table

_MS = 1000


def story_page(story: Story) -> str:
    """Return the story: a headline, then one line for each step with the time since the first."""
    first, last = story.steps[0].at, story.steps[-1].at
    user = f", user {story.user_hash}" if story.user_hash else ""
    took = f"{count(len(story.steps), 'step')} in {duration((last - first).total_seconds())}"
    lines = [
        (
            f"{(step.at - first).total_seconds() * _MS:+10,.0f} ms",
            precise_moment(step.at),
            step.place,
            step.what,
        )
        for step in story.steps
    ]
    return f"cid {story.cid}{user}: {story.outcome}\n{took}, times in UTC\n\n{table(lines)}"


def taps_page(taps: Sequence[Tap]) -> str:
    """Return the taps as a table, newest first."""
    head = ("at (UTC)", "cid", "what", "outcome")
    rows = [(moment(tap.at), tap.cid, tap.what, tap.outcome) for tap in taps]
    return table([head, *rows])
