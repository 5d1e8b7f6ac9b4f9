"""What `trt bench runtime` measures of Erlang/OTP's gen_server, where `escript` is installed."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from shutil import which

import msgspec
from attrs import field, frozen

WITHIN_S = 120.0

_SCRIPT = """\
#!/usr/bin/env escript
-mode(compile).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2, main/1]).

init([]) -> {ok, 0}.
handle_call({add, N}, _From, Total) -> {reply, Total + N, Total + N}.
handle_cast({add, N}, Total) -> {noreply, Total + N}.

start() -> {ok, Pid} = gen_server:start(?MODULE, [], []), Pid.
stop(Pid) -> gen_server:stop(Pid).
ask(Pid, N) -> gen_server:call(Pid, {add, N}, 5000).

rate(Count, Work) ->
    Began = erlang:monotonic_time(microsecond),
    Work(),
    Count * 1000000 / max(1, erlang:monotonic_time(microsecond) - Began).

times(0, _) -> ok;
times(N, Work) -> Work(), times(N - 1, Work).

memory(Count) ->
    Before = erlang:memory(processes_used),
    Pids = [start() || _ <- lists:seq(1, Count)],
    After = erlang:memory(processes_used),
    lists:foreach(fun stop/1, Pids),
    (After - Before) / Count.

main([Tells, Asks, Spawns]) ->
    [T, A, S] = [list_to_integer(Count) || Count <- [Tells, Asks, Spawns]],
    Pid = start(),
    Tell = rate(T, fun() ->
        times(T, fun() -> gen_server:cast(Pid, {add, 1}) end), T = ask(Pid, 0) end),
    Ask = rate(A, fun() -> times(A, fun() -> ask(Pid, 1) end) end),
    Many = rate(S, fun() -> lists:foreach(fun stop/1, [start() || _ <- lists:seq(1, S)]) end),
    Each = rate(S, fun() -> times(S, fun() -> stop(start()) end) end),
    io:format("{\\"tell\\":~f,\\"ask\\":~f,\\"spawn_many\\":~f,\\"spawn_each\\":~f,\\"rest\\":~f}",
        [Tell, Ask, Many, Each, memory(S)]).
"""


@frozen
class Erlang:
    """Rates per second, and bytes per idle process, by the names that ours have; or why not."""

    figures: Mapping[str, float] = field(factory=dict)
    why_not: str = ""


def erlang(folder: Path, *, tells: int, asks: int, spawns: int) -> Erlang:
    """Measure it; this blocks, so nothing else may be measured meanwhile.

    Args:
        folder: Where the script is written.
        tells: How many casts are measured.
        asks: How many calls.
        spawns: How many processes are started and stopped, in each of three ways.
    """
    escript = which("escript")
    if escript is None:
        return Erlang(why_not="no escript here")
    script = folder / "gen_server_bench"
    script.write_text(_SCRIPT)
    try:
        done = subprocess.run(  # noqa: S603 - our own script
            [escript, str(script), str(tells), str(asks), str(spawns)],
            capture_output=True,
            check=True,
            timeout=WITHIN_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Erlang(why_not=f"escript did not do it: {type(error).__name__}")
    return Erlang(figures=msgspec.json.decode(done.stdout, type=dict[str, float]))
