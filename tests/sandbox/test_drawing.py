"""Pictures and clips are real, of the asked size, and the same for the same prompt."""

import io
from typing import Any

import av
import pytest
from PIL import Image

from trt.sandbox import clip, drawing


@pytest.mark.parametrize(
    ("ratio", "resolution", "suffix", "size"),
    [
        ("1:1", "1K", "png", (1024, 1024)),
        ("16:9", "1K", "png", (1368, 768)),
        ("9:16", "1K", "jpg", (768, 1368)),
        ("21:9", "1K", "png", (1568, 672)),
        ("auto", "4K", "png", (4096, 4096)),
    ],
)
def test_a_picture_has_the_asked_format_and_size(
    ratio: str, resolution: str, suffix: str, size: tuple[int, int]
) -> None:
    data = drawing.picture("Кот и море 🐈", ratio, resolution=resolution, suffix=suffix)
    assert len(data) < 10 * 1024 * 1024
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.size == size
        assert image.format == ("JPEG" if suffix == "jpg" else "PNG")


def test_a_prompt_decides_the_picture() -> None:
    one, same, other = (drawing.picture(prompt, "1:1") for prompt in ("a", "a", "b"))
    assert one == same
    assert one != other


@pytest.mark.parametrize("prompt", ["", "\n", "слово" * 300, "много слов " * 90, "<b>&\x00"])
def test_any_prompt_can_be_drawn(prompt: str) -> None:
    assert drawing.picture(prompt, "9:16").startswith(b"\x89PNG")


def test_without_a_font_for_its_letters_a_picture_is_not_signed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drawing, "_system_font", lambda: None)
    signed, unsigned = (
        drawing.paint("лес", (256, 256), is_signed=choice) for choice in (True, False)
    )
    assert signed.tobytes() == unsigned.tobytes()
    english = drawing.paint("forest", (256, 256)).tobytes()
    assert english != drawing.paint("forest", (256, 256), is_signed=False).tobytes()


async def test_a_clip_is_h264_of_the_asked_length() -> None:
    data = await clip.encode("лес", "9:16", duration_s=5)
    with av.open(io.BytesIO(data), "r") as container:
        stream: Any = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        frames = list(container.decode(video=0))
    assert len(frames) == 5 * clip.FRAMES_PER_S
    assert (frames[0].width, frames[0].height) == (360, 640)
