"""The commands as an operator types them: exit codes, and texts that say what to do."""

import shutil
from pathlib import Path

import pytest

from trt.assets import asset
from trt.cli import main


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stand in an empty folder with nothing configured."""
    for name in ("USD_TO_RUB", "PRICE_MULTIPLIER", "DATABASE_URL", "DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def usage(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    """Run a command that argparse ends; returns the exit code and both streams."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = usage(capsys, "--help")
    assert code == 0
    for command in ("run", "dev", "migrate", "registry"):
        assert f"    {command} " in out


@pytest.mark.parametrize("command", ["run", "dev", "migrate", "registry"])
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = usage(capsys, command, "--help")
    assert code == 0
    assert f"usage: trt {command}" in out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "COMMAND"),
        (["fly"], "'fly'"),
        (["registry", "burn"], "'burn'"),
        (["dev", "--port", "x"], "'x'"),
        (["dev", "--port", "65533"], "1 to 65532"),
    ],
)
def test_what_is_no_command_is_refused(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = usage(capsys, *arguments)
    assert (code, out) == (2, "")
    assert word in err


def test_migrating_twice_does_nothing_the_second_time(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["migrate"]) == 0
    assert capsys.readouterr().out.startswith("applied 0001_first.sql\n")
    assert (tmp_path / "trt.sqlite3").is_file()
    assert main(["migrate"]) == 0
    assert capsys.readouterr().out == "nothing to do\n"


def test_migrating_into_nowhere_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "missing"
    monkeypatch.setenv("DATA_DIR", str(missing))
    assert main(["migrate"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert str(missing) in err
    assert "DATA_DIR" in err


def test_checking_the_registry_shows_every_model_with_its_prices(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USD_TO_RUB", "78.0")
    assert main(["registry", "check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    by_model = dict(line.split(": ", 1) for line in lines)
    assert by_model["prices"] == "credits x 0.005 USD x 78.0 RUB x 2.0"
    # 18 and 24 credits at half a cent, 78 rubles and twice the vendor's price.
    assert by_model["nano-banana-pro"] == "5 parameters, RUB 14.04, 14.04, 18.72"
    assert by_model.keys() >= {"z-image", "kling-2.6/text-to-video"}


def test_checking_the_registry_refuses_a_model_that_the_service_would_only_block(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("USD_TO_RUB", "78.0")
    for name in ("z-image", "nano-banana-pro"):
        shutil.copy(asset("registry") / f"{name}.yaml", tmp_path)
    card = tmp_path / "z-image.yaml"
    card.write_text(card.read_text("utf-8").replace('"0.8"', "free"), "utf-8")
    monkeypatch.setattr("trt.cli.asset", lambda _: tmp_path)
    assert main(["registry", "check"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "z-image.yaml: prices[0].price_credits: 'free'" in err


def test_checking_the_registry_needs_a_rate_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["registry", "check"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "USD_TO_RUB is missing" in err
    assert "TOKEN" not in err
