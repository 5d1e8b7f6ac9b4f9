"""The installed package runs without the checkout: its registry and migrations travel in it."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.process.instance import (
    CHECKOUT,
    DEADLINE_S,
    command_environment,
    run_command,
)
from tests.process.loopback import loopback
from tests.process.sandbox import open_sandbox


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what pip makes of our wheel, and nothing else."""
    dist, site = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("site")
    python("hatchling", "build", "-t", "wheel", "-d", str(dist))
    [wheel] = dist.glob("*.whl")
    alone = ("--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", "--quiet")
    python("pip", "install", *alone, "--target", str(site), str(wheel))
    return site


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Return an empty folder to stand in."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def python(module: str, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=CHECKOUT, check=True, capture_output=True
    )


def told(site: Path, **changes: str) -> Mapping[str, str]:
    return command_environment(site) | {"USD_TO_RUB": "78.0", **changes}


async def test_its_registry_is_inside(installed: Path, empty: Path) -> None:
    done = await run_command("registry", "check", environment=told(installed), folder=empty)
    assert (done.code, done.err) == (0, "")
    assert "z-image: " in done.out


async def test_its_migrations_are_inside(installed: Path, empty: Path) -> None:
    done = await run_command("migrate", environment=told(installed), folder=empty)
    assert (done.code, done.err) == (0, "")
    assert "applied 0001_first.sql" in done.out


async def test_it_serves_a_person(installed: Path, empty: Path) -> None:
    async with loopback(empty) as around:
        user = around.telegram.user()
        async with around.start(PYTHONPATH=str(installed)) as instance:
            user.send("/start")
            await user.wait_message("Привет", DEADLINE_S)
            assert await instance.stop() == 0


async def test_its_page_is_inside(installed: Path, empty: Path) -> None:
    async with open_sandbox(empty, installed) as sandbox, httpx.AsyncClient() as http:
        page = await http.get(sandbox.url)
        script = await http.get(f"{sandbox.url}/static/page.js")
        sandbox.instance.signal(signal.SIGINT)
        assert await sandbox.instance.wait_exit() == 0
    assert (page.status_code, script.status_code) == (200, 200)
    assert "Песочница" in page.text


@pytest.mark.parametrize("command", [("run",), ("registry", "check")])
async def test_a_broken_registry_file_is_named(
    command: tuple[str, ...], installed: Path, empty: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    shutil.copytree(installed, site)
    card = site / "trt" / "_assets" / "registry" / "z-image.yaml"
    card.write_text(card.read_text("utf-8").replace("category: image", "category: poems"), "utf-8")
    async with loopback(empty) as around:
        environment = around.environment | {"PYTHONPATH": str(site)}
        done = await run_command(*command, environment=environment, folder=empty)
    assert done.code == 2
    assert "Traceback" not in done.err
    for word in ("z-image.yaml", "category", "poems", "image"):
        assert word in done.err
