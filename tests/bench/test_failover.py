"""`trt bench failover`: what it posts and pretends, and what it says of the rounds."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import msgspec
import pytest
import trio
import trio.testing
from attrs import define, field

from trt.bench.children import LOOPBACK
from trt.bench.failover import FailoverReport, StrikeReport, report
from trt.bench.failover_balancer import NO_ANSWER, PATIENCE_S, Balancer
from trt.bench.failover_books import (
    Accounts,
)
from trt.bench.failover_instance import Instance
from trt.bench.failover_outside import Outside
from trt.bench.failover_report import failover_table, round_line
from trt.bench.failover_rounds import Round, Strike, longest_gap_s
from trt.bench.failover_traffic import RETRY_S, Target, Traffic
from trt.bench.failover_updates import MadeUpdates
from trt.sources import SystemSources
from trt.telegram.updates import Update, parse_update, read_event

SOURCES = SystemSources()
TARGET = Target(ports=[1, 2], path="/webhook/x")


# The updates.


def test_what_is_posted_are_updates_of_the_bot_api() -> None:
    made = MadeUpdates()
    updates = [*(made.next() for _ in range(60)), *made.order()]
    assert len({update.update_id for update in updates}) == len(updates)
    for update in updates:
        read = parse_update(update.body)
        assert isinstance(read, Update)
        assert (read.update_id, read.user_id) == (update.update_id, update.user_id)
        assert read.callback_id == update.callback_id
        assert isinstance(read_event(update.body), tuple), "a person did something"
    taps = sum(update.callback_id is not None for update in updates[:60])
    assert 0 < taps < 60
    assert [update.starts_job for update in updates[-3:]] == [False, False, True]


# The traffic.


@define
class Script:
    """Answers posts one after the other with these statuses, and then always with 200."""

    statuses: list[int] = field(factory=list)
    delay_s: float = 0.0
    posts: list[tuple[int, float]] = field(factory=list)

    async def post(self, port: int, path: str, body: bytes) -> int:
        assert (path, body[:1]) in {("/callback", b"{"), ("/webhook/x", b"{")}
        self.posts.append((port, trio.current_time()))
        await trio.sleep(self.delay_s)
        return self.statuses.pop(0) if self.statuses else 200


async def test_what_one_instance_refuses_is_posted_to_the_other_and_then_again_in_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    script = Script([503, 0, 503])
    traffic = Traffic(
        target=TARGET, rate_per_s=1.0, retry_s=RETRY_S, sources=SOURCES, balancer=script
    )
    began_s = trio.current_time()
    await traffic.call_back("/callback", b"{}")
    assert [port for port, _ in script.posts] == [1, 2, 1, 2]
    assert [at_s - began_s for _, at_s in script.posts] == pytest.approx([0.0, 0.0, 2.0, 3.0])


async def test_the_load_is_even_alternates_and_ends_when_all_is_acknowledged(
    autojump_clock: trio.testing.MockClock,
) -> None:
    script, stop = Script(delay_s=0.5), trio.Event()
    traffic = Traffic(
        target=TARGET, rate_per_s=50.0, retry_s=RETRY_S, sources=SOURCES, balancer=script
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(traffic.run, stop)
        await trio.sleep(1.99)
        stop.set()
    assert all(post.acked_s is not None for post in traffic.posts)
    starts = sum(post.update.starts_job for post in traffic.posts)
    assert starts == 4
    assert len(traffic.posts) == 100 - starts + 3 * starts
    ports = [port for port, _ in script.posts]
    assert abs(ports.count(1) - ports.count(2)) <= 1


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200),
        (b"HTTP/1.1 503 \r\ncontent-length: 0\r\nconnection: close\r\n\r\n", 503),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", NO_ANSWER),
        (b"", NO_ANSWER),
    ],
    ids=["taken", "refused", "cut in the middle", "cut"],
)
async def test_the_balancer_says_what_it_was_answered(answer: bytes, status: int) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        while await stream.receive_some(10_000):
            await stream.send_all(answer)
            if status != 200:
                return

    [listener] = await trio.open_tcp_listeners(0, host=LOOPBACK)
    balancer = Balancer("secret")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.serve_listeners, serve, [listener]))
        port: int = listener.socket.getsockname()[1]
        assert [await balancer.post(port, "/x", b"{}") for _ in range(2)] == [status] * 2
        balancer.close()
        nursery.cancel_scope.cancel()
    assert await balancer.post(port, "/x", b"{}") == NO_ANSWER, "nobody listens"


async def test_the_balancer_has_little_patience() -> None:
    [listener] = await trio.open_tcp_listeners(0, host=LOOPBACK)
    async with listener:
        port: int = listener.socket.getsockname()[1]
        began_s = trio.current_time()
        assert await Balancer("secret").post(port, "/x", b"{}") == NO_ANSWER
        assert trio.current_time() - began_s == pytest.approx(PATIENCE_S, abs=0.5)


# The outside.


async def test_the_first_answer_to_a_tap_is_noted_and_an_order_is_called_back_about() -> None:
    called_back: list[tuple[str, bytes]] = []
    has_called = trio.Event()

    async def call_back(path: str, body: bytes) -> None:
        called_back.append((path, body))
        has_called.set()

    outside = Outside(sources=SOURCES, call_back=call_back)
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with httpx.AsyncClient() as http, trio.open_nursery() as nursery:
        await nursery.start(outside.serve, listener)
        for _ in range(2):
            answer = {"callback_query_id": "tap-1"}
            await http.post(f"{outside.base_url}/bot1:x/answerCallbackQuery", json=answer)
        sent = await http.post(f"{outside.base_url}/bot1:x/sendMessage", json={"text": "x"})
        order = {"model": "m", "input": {}, "callBackUrl": "http://bot/callbacks/kie/j/s"}
        made = await http.post(f"{outside.base_url}/api/v1/jobs/createTask", json=order)
        task_id = made.json()["data"]["taskId"]
        with trio.fail_after(5):
            await has_called.wait()
        record = await http.get(
            f"{outside.base_url}/api/v1/jobs/recordInfo", params={"taskId": task_id}
        )
        [url] = msgspec.json.decode(record.json()["data"]["resultJson"])["resultUrls"]
        file = await http.get(url)
        nursery.cancel_scope.cancel()
    assert [call.method for call in outside.calls] == ["answerCallbackQuery"] * 2 + ["sendMessage"]
    assert outside.answered_s == {"tap-1": outside.calls[0].at_s}
    assert sent.json()["result"]["message_id"] == 1
    assert called_back == [("/callbacks/kie/j/s", b'{"data":{"taskId":"task-0"}}')]
    assert file.content.startswith(b"\x89PNG")


# The gap.


async def test_an_instance_is_heard_to_have_handled_updates(tmp_path: Path) -> None:
    log = (
        '{"event":"DISPATCH_OK","ts":"1970-01-01T00:00:02.500Z"}\n'
        '{"event":"LOCK_RELEASED","ts":"1970-01-01T00:00:02.600Z"}\n'
        '{"event":"UI_RENDER","ts":"1970-01-01T00:00:02.700Z"}\n'
        "Stopped.\n"
    )
    process = await trio.lowlevel.open_process(
        [sys.executable, "-c", f"import sys; sys.stderr.write({log!r})"], stderr=subprocess.PIPE
    )
    instance = Instance(process, "instance-0")
    await instance.listen(tmp_path / "log")
    await process.wait()
    assert instance.handled_s == [2.5]
    assert [line["event"] for line in instance.lines] == ["LOCK_RELEASED"]
    assert (tmp_path / "log").read_text() == log


def test_the_gap_is_the_longest_silence_that_ended_after_the_strike() -> None:
    assert longest_gap_s([], struck_s=1.0, until_s=9.0) == 0.0
    handled_s = [4.1, 4.2, 1.0, 3.0, 3.1, 8.0]
    assert longest_gap_s(handled_s, struck_s=3.05, until_s=4.5) == pytest.approx(1.0)
    assert longest_gap_s(handled_s, struck_s=2.0, until_s=3.1) == pytest.approx(2.0)
    assert longest_gap_s(handled_s, struck_s=3.05, until_s=7.0) == pytest.approx(2.8), "it lasts"


# The report.


def a_round(
    strike: Strike = Strike.PLANNED,
    gap_s: float = 0.1,
    problems: tuple[str, ...] = (),
    late: tuple[str, ...] = (),
) -> Round:
    accounts = Accounts(
        updates=50,
        lost=len(problems),
        twice=0,
        late_callbacks=len(late),
        problems=problems,
        late=late,
        is_balanced=True,
    )
    return Round(
        strike=strike,
        gap_s=gap_s,
        taken_s=gap_s,
        why="released",
        accounts=accounts,
        late_commits=0,
        problems=problems,
    )


def test_who_waits_for_more_than_a_second_misses_the_target() -> None:
    played = a_round(late=("late: 7 answered after 1.02 s",))
    judged = report(Strike.PLANNED, [a_round(), played], is_told=True)
    assert not judged.is_met
    assert "7 answered after 1.02 s" in round_line(played)


@pytest.mark.parametrize(
    ("strike", "gaps_s", "is_told", "is_met"),
    [
        (Strike.PLANNED, [0.1, 0.1, 0.29], True, True),
        (Strike.PLANNED, [0.1, 0.1, 0.31], True, False),
        (Strike.PLANNED, [0.1, 0.16, 0.16], True, False),
        (Strike.PLANNED, [0.1, 0.1, 0.29], False, True),
        (Strike.PLANNED, [0.1, 0.1, 0.31], False, False),
        (Strike.PLANNED, [0.1, 0.16, 0.16], False, False),
        (Strike.KILL, [0.9], True, True),
        (Strike.KILL, [1.1], True, False),
        (Strike.KILL, [2.9], False, True),
        (Strike.FREEZE, [2.9], True, True),
        (Strike.CUT, [3.1], True, False),
        (Strike.HALF_OPEN, [3.1], True, False),
    ],
)
def test_targets_are_for_the_median_and_the_longest_gap(
    strike: Strike, gaps_s: list[float], *, is_told: bool, is_met: bool
) -> None:
    rounds = [a_round(strike, gap_s) for gap_s in gaps_s]
    assert report(strike, rounds, is_told=is_told).is_met is is_met


def test_one_problem_in_one_round_misses_the_target_and_is_named_in_the_table() -> None:
    rounds = [a_round(), a_round(problems=("lost: 5 absent",)), a_round()]
    summed: StrikeReport = report(Strike.PLANNED, rounds, is_told=True)
    assert not summed.is_met
    whole = FailoverReport(engine="SQLite", rate_per_s=50.0, strikes=[summed])
    assert not whole.is_met
    table = failover_table(whole)
    assert "MISSED" in table
    assert "planned stop, round 2: lost: 5 absent" in table
    assert "150/300" in table
    assert "lost: 5 absent" in round_line(rounds[1])
    assert "gap 100 ms" in round_line(rounds[0])
