"""The commands as an operator types them: exit codes, pages, JSON, and nothing secret."""

import io
import json
import sys
from pathlib import Path

import pytest
import trio
from typing_extensions import override

from tests.ops.samples import CID, USER, now, play_delivered_job
from trt.cli import main
from trt.ops.database_door import open_door
from trt.sources import SystemSources
from trt.storage import installation
from trt.storage.engines import DatabaseAddress, PostgresAddress, SQLiteAddress
from trt.storage.lease import Acquired

HOLDER = "0123456789abcdef"
SECRETS = {
    "TELEGRAM_BOT_TOKEN": "123456:canary-AAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "KIE_API_KEY": "canary-of-kie",
    "WEBHOOK_SECRET_PATH": "canary-of-the-path",
    "WEBHOOK_SECRET_TOKEN": "canary-of-the-header",
    "KIE_CALLBACK_TOKEN": "canary-of-callbacks",
    "KIE_WEBHOOK_HMAC_KEY": "canary-of-hmac",
}


class Terminal(io.StringIO):
    """Somebody sits there and types."""

    @override
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _installation(
    address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Configure a whole installation on the database of the test."""
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WEBHOOK_BASE_URL", "https://bot.example.org")
    monkeypatch.setenv("USD_TO_RUB", "78.0")
    match address:
        case SQLiteAddress(path=path):
            monkeypatch.setenv("DATABASE_URL", f"sqlite:///{path}")
        case PostgresAddress(url=url):
            monkeypatch.setenv("DATABASE_URL", url.reveal())


@pytest.fixture
def at_work(address: DatabaseAddress) -> None:
    """Let somebody lead who has delivered a job."""

    async def work() -> None:
        async with open_door(address, now=now) as door:
            await door.db.transact(play_delivered_job)

    trio.run(work)
    take(address, HOLDER)


def settle_shards(address: DatabaseAddress, shards: int) -> None:
    async def run() -> None:
        async with open_door(address, now=now) as door:
            await door.db.transact(installation.settle, shards=shards)

    trio.run(run)


def take(address: DatabaseAddress, holder: str) -> None:
    async def run() -> None:
        # By the machine's clock, as the commands have it.
        async with open_door(address, now=SystemSources().now) as door:
            outcome = await door.leases.acquire("shard-0", holder=holder, pid=42, ttl_s=600)
            assert isinstance(outcome, Acquired)

    trio.run(run)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that argparse refuses, and return what it says."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_lock_exits_with_one_while_nobody_leads(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, "ops", "lock")
    assert (code, out.split(",")[0]) == (1, "shard-0: NOBODY LEADS")


@pytest.mark.usefixtures("at_work")
def test_lock_says_who_leads_and_exits_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, "ops", "lock")
    assert code == 0
    assert out.startswith(f"shard-0: led by {HOLDER} (pid 42)")
    code, out, _ = told(capsys, "ops", "lock", "--shard", "1")
    assert (code, out.split(",")[0]) == (1, "shard-1: NOBODY LEADS")


@pytest.mark.usefixtures("at_work")
def test_deposing_needs_a_yes_a_reason_and_a_holder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    depose = ("ops", "lock", "depose", "--reason", "it hangs")
    assert "--reason" in refused(capsys, "ops", "lock", "depose", "--yes")
    assert "1 to 200" in refused(capsys, "ops", "lock", "depose", "--reason", " ")

    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    code, _, err = told(capsys, *depose)
    assert code == 2
    assert "--yes" in err

    monkeypatch.setattr(sys, "stdin", Terminal("\n"))
    code, out, err = told(capsys, *depose)
    assert (code, err) == (1, "Nothing was done.\n")
    assert f"held by {HOLDER} (pid 42, epoch 1, alive)" in out

    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    code, out, _ = told(capsys, *depose)
    assert code == 0
    assert f"Deposed {HOLDER} (pid 42, epoch 1) of shard-0" in out

    code, _, err = told(capsys, *depose, "--yes")
    assert code == 1
    assert "there is nobody to depose" in err
    code, out, _ = told(capsys, "ops", "lock")
    assert code == 1
    assert "it hangs" in out


@pytest.mark.usefixtures("at_work")
def test_who_waits_leads_after_a_deposition(
    capsys: pytest.CaptureFixture[str], address: DatabaseAddress
) -> None:
    code, _, _ = told(capsys, "ops", "lock", "--shard", "0", "depose", "--reason", "x", "--yes")
    assert code == 0
    take(address, "second")
    code, out, _ = told(capsys, "ops", "lock", "--json")
    assert code == 0
    [lock] = json.loads(out)["shards"]
    assert (lock["holder"], lock["epoch"]) == ("second", 2)
    assert lock["handovers"][0]["takeover"]["reason"] == "deposed"
    assert lock["handovers"][0]["word"]["because"] == "x"


def test_with_several_shards_deposing_asks_which(
    capsys: pytest.CaptureFixture[str], address: DatabaseAddress
) -> None:
    settle_shards(address, 2)
    code, _, err = told(capsys, "ops", "lock", "depose", "--reason", "x", "--yes")
    assert code == 2
    assert "--shard N" in err
    code, out, _ = told(capsys, "ops", "lock")
    assert [line.split(":")[0] for line in out.splitlines() if line] == ["shard-0", "shard-1"]


@pytest.mark.usefixtures("at_work")
def test_trace_tells_the_story_of_a_cid(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, "ops", "trace", CID.upper())
    assert code == 0
    assert "delivered, 14.04 RUB charged" in out
    code, out, _ = told(capsys, "ops", "trace", f"cid={CID}", "--json")
    story = json.loads(out)
    assert (story["cid"], story["steps"][0]["place"]) == (CID, "inbox")


@pytest.mark.usefixtures("at_work")
def test_trace_lists_the_taps_of_a_user(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, "ops", "trace", "--user", str(USER), "--last", "365d", "--json")
    assert code == 0
    assert [tap["cid"] for tap in json.loads(out)] == [CID]
    code, _, err = told(capsys, "ops", "trace", "--user", "4")
    assert code == 1
    assert "--last" in err


def test_trace_says_what_to_do_when_there_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = told(capsys, "ops", "trace", CID)
    assert (code, out) == (1, "")
    assert f"No such cid: {CID}" in err
    assert "trt ops trace --user ID" in err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["trace"], "required"),
        (["trace", "nonsense"], "eight hex"),
        (["trace", "--user", "ann"], "number"),
        (["trace", "--user", "1", "--last", "soon"], "24h"),
        (["trace", "--user", "1", "--last", "366d"], "24h"),
        (["lock", "--shard", "64"], "63"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word in refused(capsys, "ops", *arguments)


@pytest.mark.usefixtures("at_work")
def test_doctor_exits_with_zero_when_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, "doctor")
    assert code == 0
    assert "every variable is usable" in out
    assert "can be sold" in out
    assert "balanced" in out
    assert "0 failures" in out


def test_doctor_exits_with_one_and_names_each_failure_with_its_mend(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KIE_API_KEY")
    monkeypatch.setenv("PORT", "door")
    code, out, _ = told(capsys, "doctor", "--json")
    assert code == 1
    report = json.loads(out)
    assert report["is_well"] is False
    failures = [found for found in report["findings"] if found["verdict"] == "FAIL"]
    assert [found["what"] for found in failures] == [
        "KIE_API_KEY is missing",
        "PORT is 'door'; a whole number from 1 to 65535 is needed.",
    ]
    assert failures[0]["mend"] == "create one at kie.ai/api-key."
    code, out, _ = told(capsys, "doctor")
    assert "FAIL  configuration  KIE_API_KEY is missing  → create one" in out


@pytest.mark.usefixtures("at_work")
@pytest.mark.parametrize("is_broken", [False, True])
def test_no_page_shows_a_secret_even_one_in_the_wrong_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, is_broken: bool
) -> None:
    monkeypatch.setenv("TELEGRAM_API_BASE", "http://127.0.0.1:1")
    if is_broken:
        monkeypatch.setenv("PORT", SECRETS["KIE_API_KEY"])
        monkeypatch.setenv("BOT_MODE", SECRETS["TELEGRAM_BOT_TOKEN"])
    for command in (
        ("doctor", "--online"),
        ("doctor", "--online", "--json"),
        ("ops", "lock"),
        ("ops", "lock", "--json"),
        ("ops", "trace", CID),
        ("ops", "trace", CID, "--json"),
    ):
        _, out, err = told(capsys, *command)
        assert out
        assert "canary" not in out + err


def test_commands_that_need_a_database_say_where_it_should_be(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/none.sqlite3")
    for arguments in (("lock",), ("trace", CID), ("lock", "depose", "--reason", "x", "--yes")):
        code, _, err = told(capsys, "ops", *arguments)
        assert code == 2
        assert f"{tmp_path}/none.sqlite3" in err
    assert not (tmp_path / "none.sqlite3").exists()
    (tmp_path / "none.sqlite3").touch()
    code, _, err = told(capsys, "ops", "lock")
    assert code == 2
    assert "trt migrate" in err
