"""Every button's data fits Telegram and reads back as what was meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt.domain import callback_data as tap
from trt.domain.ids import DraftId, JobId, ModelId
from trt.domain.model_card import Category
from trt.domain.payments import OrderId

ids = st.text("0123456789abcdef", min_size=8, max_size=8).map(DraftId)
jobs = st.text("0123456789abcdef", min_size=32, max_size=32).map(JobId)
names = st.from_regex(r"[a-z][a-z0-9_]{0,15}", fullmatch=True)
tokens = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
models = st.from_regex(r"[a-z0-9][a-z0-9./-]{0,50}", fullmatch=True).map(ModelId)
prices = st.integers(0, 10**9)
taps = st.one_of(
    st.builds(tap.MainMenu, st.booleans()),
    st.builds(tap.OpenCategory, st.sampled_from(Category)),
    st.builds(tap.OpenModel, models),
    st.builds(tap.BeginOrder, models),
    st.builds(tap.SetValue, ids, names, tokens),
    st.builds(tap.EditValue, ids, names),
    st.builds(tap.KeepValue, ids),
    st.builds(tap.UseExample, ids),
    st.builds(tap.Confirm),
    st.builds(tap.Confirm, ids, st.none() | prices),
    st.builds(tap.Cancel, st.none() | ids),
    st.builds(tap.Back, st.none() | ids),
    st.builds(tap.Repeat, jobs),
    st.just(tap.OpenJobs()),
    st.builds(tap.TakeBack, jobs, is_listed=st.booleans()),
    st.builds(tap.GetResult, jobs),
    st.sampled_from([tap.OpenBalance(), tap.OpenHelp(), tap.OpenLanguages(), tap.OpenTopUp()]),
    st.builds(tap.PickPackage, st.sampled_from(["stars", "transfer"]), st.integers(0, 10**9)),
    st.builds(tap.DecideReceipt, ids.map(OrderId), is_approved=st.booleans()),
    st.builds(tap.Forget, is_confirmed=st.booleans()),
    st.builds(tap.PickLanguage, st.sampled_from(["ru", "en"])),
)


@given(taps)
def test_what_is_written_is_read_back(data: tap.Tap) -> None:
    assert tap.parse(tap.dump(data)) == data
    assert tap.size_bytes(data) == len(tap.dump(data).encode())


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=16))
def test_reading_never_raises_and_loses_nothing(data: str) -> None:
    assert tap.dump(tap.parse(data)) == data


@pytest.mark.parametrize(
    ("data", "meant"),
    [
        ("cat:image", tap.OpenCategory(Category.IMAGE)),
        ("cat:video", tap.OpenCategory(Category.VIDEO)),
        ("cat:audio", tap.OpenCategory(Category.AUDIO)),
        ("cat:enhance", tap.OpenCategory(Category.ENHANCE)),
        ("main_menu", tap.MainMenu()),
        ("model:kling-2.6/text-to-video", tap.OpenModel(ModelId("kling-2.6/text-to-video"))),
        ("confirm", tap.Confirm()),
        ("cancel", tap.Cancel()),
        ("back", tap.Back()),
        ("confirm:0a1b2c3d", tap.Confirm(DraftId("0a1b2c3d"))),
        ("set:0a1b2c3d:ratio:16:9", tap.SetValue(DraftId("0a1b2c3d"), "ratio", "16:9")),
    ],
)
def test_published_names_stay_valid(data: str, meant: tap.Tap) -> None:
    assert tap.parse(data) == meant


@pytest.mark.parametrize(
    "data", ["", "cat:", "cat:music", "model:", "confirm:", "set:a:b", "back:a:b", "lang:klingon"]
)
def test_malformed_data_is_unknown(data: str) -> None:
    assert tap.parse(data) == tap.Unknown(data)


def test_data_that_does_not_fit_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="65 bytes"):
        tap.dump(tap.OpenModel(ModelId("m" * 59)))
