"""Numbers and times are short and mean what they say."""

import pytest

from tests.ops.samples import NOW, later
from trt.ops.wording import count, duration, moment, precise_moment, rubles, size, table


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0.0 s"),
        (0.34, "0.3 s"),
        (9.94, "9.9 s"),
        (42.4, "42 s"),
        (59.6, "1 min 0 s"),
        (184, "3 min 4 s"),
        (7_384, "2 h 3 min"),
        (190_800, "2 d 5 h"),
        (-75, "-1 min 15 s"),
    ],
)
def test_how_long(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_when() -> None:
    assert moment(NOW) == "2026-01-02 03:04:05"
    assert precise_moment(later(0.0456)) == "2026-01-02 03:04:05.045"


def test_how_much() -> None:
    assert (rubles(1404), rubles(5)) == ("14.04 RUB", "0.05 RUB")
    assert [count(n, "update") for n in (0, 1, 2)] == ["0 updates", "1 update", "2 updates"]
    assert (size(512), size(3 << 20), size(5 << 30)) == ("512 bytes", "3 MiB", "5.0 GiB")
    assert size(5 << 40) == "5120.0 GiB"


def test_columns_stand_under_each_other_without_trailing_blanks() -> None:
    assert table([("a", "bb", "c"), ("aaa", "b", "")], indent=1) == " a    bb  c\n aaa  b\n"
