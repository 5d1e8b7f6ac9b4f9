"""Encodes a short clip for a prompt: a slow pan over its picture, H.264 in MP4."""

import io
from typing import TYPE_CHECKING, Any

import trio

from trt.sandbox.drawing import paint, size_px

if TYPE_CHECKING:
    # Production never loads Pillow.
    from PIL.Image import Image

FRAMES_PER_S = 12
_SIDE_PX = 480
_PAN = 1.25
"""The picture is this much larger than a frame, so that there is something to pan over."""


async def encode(prompt: str, ratio: str, *, duration_s: int) -> bytes:
    """Return an MP4 of `duration_s` seconds; other tasks run between its frames."""
    import av  # noqa: PLC0415 - production never needs PyAV

    # PyAV does not say the types of this constructor.
    frame_of: Any = av.VideoFrame.from_image

    width, height = size_px(ratio, _SIDE_PX)
    # H.264 wants even sides, and size_px gives multiples of 8.
    scene = paint(prompt, (round(width * _PAN), round(height * _PAN)), is_signed=False)
    frames = duration_s * FRAMES_PER_S
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=FRAMES_PER_S)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # One thread: the same prompt gives the same bytes.
        stream.options = {"preset": "ultrafast", "crf": "23", "threads": "1"}
        for number in range(frames):
            frame = frame_of(_window(scene, (width, height), number / frames))
            container.mux(stream.encode(frame))
            await trio.lowlevel.checkpoint()
        container.mux(stream.encode())
    return out.getvalue()


def _window(scene: "Image", size: tuple[int, int], share: float) -> "Image":
    """Return the part of the scene that is seen when `share` of the clip has passed."""
    left = round((scene.width - size[0]) * share)
    top = round((scene.height - size[1]) * (1 - share))
    return scene.crop((left, top, left + size[0], top + size[1]))
