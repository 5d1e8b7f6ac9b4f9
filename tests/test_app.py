"""What the service sells from, and when it refuses to."""

from pathlib import Path

import pytest

from trt.app import RegistryBroken, load_shop
from trt.assets import asset
from trt.config import Config, read_config
from trt.testing.world import ENVIRONMENT


def test_a_shop_with_nothing_left_to_sell_does_not_open(tmp_path: Path) -> None:
    text = (asset("registry") / "z-image.yaml").read_text("utf-8")
    (tmp_path / "z-image.yaml").write_text(text.replace('"0.8"', "0"), "utf-8")
    config = read_config(ENVIRONMENT)
    assert isinstance(config, Config)
    with pytest.raises(RegistryBroken) as refused:
        load_shop(config, tmp_path)
    assert "at least one model that can be sold" in str(refused.value)
    assert "z-image.yaml: prices[0].price_credits: 0" in str(refused.value)


def test_the_shipped_registry_has_nothing_blocked() -> None:
    config = read_config(ENVIRONMENT)
    assert isinstance(config, Config)
    assert load_shop(config, asset("registry")).blocked == ()
