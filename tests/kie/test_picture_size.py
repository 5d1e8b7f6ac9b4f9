"""How many pixels: read from the first bytes, the same as a decoder finds."""

import io
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trt.kie.picture_size import PictureSize, picture_size

Format = Literal["PNG", "JPEG", "WEBP"]
FORMATS: list[Format] = ["PNG", "JPEG", "WEBP"]


def encoded(form: Format, size: tuple[int, int], mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("size", [(1, 1), (300, 200), (5504, 3072)])
@pytest.mark.parametrize("form", FORMATS)
def test_the_size_is_the_encoders(form: Format, size: tuple[int, int]) -> None:
    assert picture_size(encoded(form, size)) == PictureSize(*size)


@pytest.mark.parametrize(
    "data",
    [
        encoded("WEBP", (77, 33), lossless=True),
        encoded("WEBP", (77, 33), "RGBA", exif=b"Exif\0\0"),
        encoded("JPEG", (77, 33), progressive=True),
        encoded("JPEG", (77, 33), exif=b"Exif\0\0" + bytes(5000)),
    ],
    ids=["lossless", "extended", "progressive", "with data before the frame"],
)
def test_the_other_ways_of_writing_it_are_read_too(data: bytes) -> None:
    assert picture_size(data) == PictureSize(77, 33)


@given(st.binary(max_size=64), st.sampled_from(FORMATS), st.integers(0, 40))
def test_what_is_cut_off_or_broken_has_no_size_and_raises_nothing(
    noise: bytes, form: Format, kept: int
) -> None:
    data = encoded(form, (9, 9))[:kept] + noise
    size = picture_size(data)
    assert size is None or size.width >= 0


def test_anything_else_has_no_size() -> None:
    for data in (b"", b"GIF89a\x01\x00\x01\x00", b"RIFF\0\0\0\0WAVEfmt ", b"<html>"):
        assert picture_size(data) is None
