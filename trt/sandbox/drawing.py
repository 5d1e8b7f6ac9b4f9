"""Draws a picture for a prompt: the same prompt gives the same picture."""

import colorsys
import hashlib
import io
import math
import random
from functools import cache
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    # Production never loads Pillow; the sandbox loads it with the first picture.
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

SIDES_PX = {"1K": 1024, "2K": 2048, "4K": 4096}
_CANVAS_PX = 1_536
"""What is larger is painted at this size and enlarged."""
_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
    "Helvetica.ttc",
)
_HILLS = 4
_LINES_MAX = 2

Color = tuple[int, int, int]


@frozen
class Palette:
    """Colours that go together."""

    sky: Color
    horizon: Color
    sun: Color
    far: Color
    near: Color


def picture(prompt: str, ratio: str, *, resolution: str = "1K", suffix: str = "png") -> bytes:
    """Return an encoded picture.

    Args:
        prompt: decides the composition; its first line stands on the picture where a font has it.
        ratio: "16:9" and the like; "auto" is square.
        resolution: "1K", "2K" or "4K": the side of the square with the same area.
        suffix: "png" or "jpg".
    """
    image = paint(prompt, size_px(ratio, SIDES_PX[resolution]))
    out = io.BytesIO()
    if suffix == "jpg":
        image.save(out, "JPEG", quality=90)
    else:
        image.save(out, "PNG", compress_level=2)
    return out.getvalue()


def size_px(ratio: str, side_px: int) -> tuple[int, int]:
    """Return width and height of the given ratio with the area of a square of `side_px`."""
    across, _, down = "1:1".partition(":") if ratio == "auto" else ratio.partition(":")
    stretch = math.sqrt(int(across) / int(down))
    return round(side_px * stretch / 8) * 8, round(side_px / stretch / 8) * 8


def paint(prompt: str, size: tuple[int, int], *, is_signed: bool = True) -> "Image":
    """Return a landscape of `size` pixels for the prompt, with its first line if `is_signed`."""
    from PIL import Image  # noqa: PLC0415 - production never needs Pillow

    seed = hashlib.sha256(prompt.encode()).digest()
    chance = random.Random(seed)  # noqa: S311 - a drawing, not a secret
    scale = min(1.0, _CANVAS_PX / max(size))
    canvas_size = (round(size[0] * scale), round(size[1] * scale))
    palette = _palette(chance)
    canvas = _sky(palette, canvas_size)
    _shine(canvas, palette, chance)
    _raise_hills(canvas, palette, chance)
    image = canvas.resize(size, Image.Resampling.BICUBIC) if canvas_size != size else canvas
    if is_signed:
        _sign(image, prompt.splitlines()[0] if prompt else "")
    return image


def _palette(chance: random.Random) -> Palette:
    hue = chance.random()
    warm = chance.choice((0.04, 0.08, 0.12, 0.95))
    return Palette(
        sky=_color(hue, 0.62, 0.42),
        horizon=_color(warm, 0.42, 0.98),
        sun=_color(warm + 0.03, 0.22, 1.0),
        far=_color(hue + 0.04, 0.38, 0.66),
        near=_color(hue + 0.10, 0.62, 0.16),
    )


def _color(hue: float, saturation: float, value: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _sky(palette: Palette, size: tuple[int, int]) -> "Image":
    from PIL import Image  # noqa: PLC0415

    ramp = Image.linear_gradient("L").resize(size)
    return Image.composite(
        Image.new("RGB", size, palette.horizon), Image.new("RGB", size, palette.sky), ramp
    )


def _shine(canvas: "Image", palette: Palette, chance: random.Random) -> None:
    from PIL import Image, ImageDraw  # noqa: PLC0415

    width, height = canvas.size
    x, y = width * chance.uniform(0.25, 0.75), height * chance.uniform(0.26, 0.5)
    glow_px = round(max(width, height) * chance.uniform(0.8, 1.2))
    # The gradient grows from the middle to the corners: the glow ends where it meets the sides.
    gradient = Image.radial_gradient("L")
    edge = 255 / math.sqrt(2)
    fade = [round(max(0.0, 1 - level / edge) ** 2 * 200) for level in range(256)]
    glow = gradient.point(fade).resize((glow_px, glow_px))
    canvas.paste(palette.sun, (round(x - glow_px / 2), round(y - glow_px / 2)), glow)
    radius = min(width, height) * chance.uniform(0.06, 0.12)
    disc = Image.new("L", (round(radius * 4), round(radius * 4)))
    ImageDraw.Draw(disc).ellipse((2, 2, disc.width - 3, disc.height - 3), 255)
    canvas.paste(palette.sun, (round(x - radius), round(y - radius)), disc.reduce(2))


def _raise_hills(canvas: "Image", palette: Palette, chance: random.Random) -> None:
    from PIL import Image, ImageDraw  # noqa: PLC0415

    width, height = canvas.size
    for hill in range(_HILLS):
        color = _mixed(palette.far, palette.near, hill / (_HILLS - 1))
        level = height * (0.56 + 0.11 * hill + chance.uniform(-0.02, 0.02))
        waves = [
            (chance.uniform(0.6, 1.6) * frequency, chance.uniform(0, math.tau), 0.06 / frequency)
            for frequency in (1, 2, 5)
        ]
        heights = [level - height * _height(x / width, waves) for x in range(0, width + 4, 4)]
        # Drawn twice as large and reduced, so that the ridge is smooth.
        top = min(max(0, round(min(heights)) - 2), height - 1)
        mask = Image.new("L", (width * 2, (height - top) * 2))
        ridge = [(8 * step, 2 * (y - top)) for step, y in enumerate(heights)]
        bottom = [(ridge[-1][0], mask.height), (0, mask.height)]
        ImageDraw.Draw(mask).polygon([*ridge, *bottom], 255)
        canvas.paste(color, (0, top), mask.reduce(2))


def _height(x: float, waves: list[tuple[float, float, float]]) -> float:
    return sum(
        size * math.sin(math.tau * frequency * x + phase) for frequency, phase, size in waves
    )


def _mixed(one: Color, other: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _sign(image: "Image", text: str) -> None:
    from PIL import Image, ImageDraw  # noqa: PLC0415

    width, height = image.size
    font_px = max(12, min(width, height) // 26)
    font = _font(text, font_px)
    if font is None or not text:
        return
    lines = _wrapped(text, font, width * 0.84)
    line_px = font_px * 1.4
    top = round(height - line_px * len(lines) - font_px * 1.4)
    shade = Image.new("RGB", (width, height - top), (10, 12, 20))
    image.paste(Image.blend(image.crop((0, top, width, height)), shade, 0.45), (0, top))
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        at = (width / 2, top + font_px * 0.7 + line_px * (number + 0.5))
        draw.text(at, line, fill=(255, 255, 255), font=font, anchor="mm")


def _wrapped(text: str, font: "FreeTypeFont | BitmapFont", width_px: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width_px:
            lines[-1] = longer
        elif len(lines) < _LINES_MAX:
            lines.append(word)
        else:
            lines[-1] = (
                f"{lines[-1]}…" if font.getlength(f"{lines[-1]}…") <= width_px else lines[-1]
            )
            break
    return [_cut(line, font, width_px) for line in lines if line]


def _cut(line: str, font: "FreeTypeFont | BitmapFont", width_px: float) -> str:
    while len(line) > 1 and font.getlength(line) > width_px:
        line = line.rstrip("…")[:-1] + "…"
    return line


def _font(text: str, size_px: int) -> "FreeTypeFont | BitmapFont | None":
    """Return a font that has the letters of `text`, or None: then nothing is written."""
    from PIL import ImageFont  # noqa: PLC0415

    name = _system_font()
    if name is not None:
        return ImageFont.truetype(name, size_px)
    # Pillow's own font has Latin letters only.
    return ImageFont.load_default(size_px) if text.isascii() else None


@cache
def _system_font() -> str | None:
    from PIL import ImageFont  # noqa: PLC0415

    for name in _FONTS:
        try:
            ImageFont.truetype(name, 12)
        except OSError:
            continue
        return name
    return None
