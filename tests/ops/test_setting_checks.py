"""What the doctor says of a registry: sold, blocked, or not to be sold from at all."""

from decimal import Decimal
from pathlib import Path

from trt.assets import asset
from trt.catalog.loader import load_stock
from trt.catalog.pricing import Tariff
from trt.ops.finding import Finding, Verdict
from trt.ops.findings_page import is_well
from trt.ops.setting_checks import check_registry

TARIFF = Tariff(usd_to_rub=Decimal(78), multiplier=Decimal(2))
PRICES = "prices:"


def checked(folder: Path, **cards: str) -> list[Finding]:
    """Look at a registry of these files."""
    for name, text in cards.items():
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    return check_registry(load_stock(folder, TARIFF))


def card(model: str) -> str:
    return (asset("registry") / f"{model}.yaml").read_text("utf-8")


def unpriced(model: str) -> str:
    return card(model).partition(PRICES)[0]


def test_a_registry_without_a_fault_is_well(tmp_path: Path) -> None:
    [found] = checked(tmp_path, a=card("z-image"), b=card("nano-banana-pro"))
    assert (found.verdict, found.what) == (Verdict.OK, "2 models can be sold")


def test_a_blocked_model_is_a_warning_of_its_own(tmp_path: Path) -> None:
    sold, blocked = checked(tmp_path, a=unpriced("z-image"), b=card("nano-banana-pro"))
    assert (sold.verdict, sold.what) == (Verdict.OK, "1 model can be sold")
    assert (blocked.check, blocked.verdict) == ("registry", Verdict.WARN)
    assert blocked.what.startswith("z-image is not sold (PRICING_BLOCKED): a.yaml: prices")
    assert "trt registry check" in blocked.mend
    assert is_well([sold, blocked])


def test_a_registry_with_nothing_left_to_sell_is_a_failure(tmp_path: Path) -> None:
    found = checked(tmp_path, a=unpriced("z-image"))
    assert {each.verdict for each in found} == {Verdict.FAIL}
    assert "at least one model that can be sold" in found[0].what


def test_nothing_is_said_of_a_registry_whose_prices_have_no_rate() -> None:
    assert check_registry(None) == []
