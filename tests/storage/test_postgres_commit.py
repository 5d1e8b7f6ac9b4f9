"""What is told about a COMMIT whose answer never came."""

import os
import signal

import pytest
import trio

from tests.storage.postgres_fixture import (
    COMMIT,
    PATIENT,
    SHORT,
    note,
    notes,
    open_with_tables,
    proxied,
)
from trt.storage.errors import CommitUnknown, DatabaseUnavailable
from trt.storage.postgres import _judged, open_postgres
from trt.storage.postgres_connection import connect
from trt.testing.postgres_server import PostgresServer
from trt.testing.tcp_proxy import Trouble


@pytest.mark.parametrize("trouble", ["cut", "reset"])
async def test_a_commit_that_arrived_is_told_as_kept_though_its_answer_was_lost(
    postgres_url: str, trouble: Trouble
) -> None:
    with proxied(postgres_url) as (proxy, url):
        async with open_with_tables(url, timeouts=SHORT) as database:
            trap = proxy.set_trap(COMMIT, trouble, is_forwarded=True)
            assert await database.transact(note, 1) == 1
            assert trap.sprung.is_set()
            assert await database.transact(notes) == [1]


@pytest.mark.parametrize("trouble", ["cut", "reset"])
async def test_a_commit_that_never_arrived_is_told_as_not_kept(
    postgres_url: str, trouble: Trouble
) -> None:
    with proxied(postgres_url) as (proxy, url):
        async with open_with_tables(url, timeouts=SHORT) as database:
            trap = proxy.set_trap(COMMIT, trouble, is_forwarded=False)
            with pytest.raises(DatabaseUnavailable, match="before the commit") as caught:
                await database.transact(note, 1)
            assert not isinstance(caught.value, CommitUnknown)
            assert trap.sprung.is_set()
            assert await database.transact(notes) == []


async def test_a_commit_that_nobody_can_tell_about_is_told_as_unknown(postgres_url: str) -> None:
    with proxied(postgres_url) as (proxy, url):
        async with open_with_tables(url, timeouts=SHORT) as database:
            trap = proxy.set_trap(COMMIT, "cut", is_forwarded=True)

            async def close_the_way() -> None:
                await trio.to_thread.run_sync(trap.sprung.wait, 10)
                proxy.refuse()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(close_the_way)
                with pytest.raises(CommitUnknown):
                    await database.transact(note, 1)
        async with open_postgres(postgres_url, pool_max=1) as past_the_proxy:
            assert await past_the_proxy.transact(notes) == [1]


async def test_the_fate_of_a_commit_is_found_out_even_for_a_caller_that_was_cancelled(
    postgres_url: str,
) -> None:
    with proxied(postgres_url) as (proxy, url):
        async with open_with_tables(url, timeouts=SHORT) as database:
            proxy.set_trap(COMMIT, "cut", is_forwarded=True)
            with trio.CancelScope() as scope:
                scope.deadline = trio.current_time() + 0.1
                assert await database.transact(note, 1) == 1
            assert not scope.cancelled_caught


def test_after_a_crash_only_a_bad_end_is_certain() -> None:
    """A number that had not reached the disk is given out again, to somebody else."""
    assert _judged("committed", is_same_server=True) is True
    assert _judged("in progress", is_same_server=True) is None
    for is_same_server in (True, False):
        assert _judged("aborted", is_same_server=is_same_server) is False
        assert _judged(None, is_same_server=is_same_server) is False
    assert _judged("in progress", is_same_server=False) is False
    with pytest.raises(CommitUnknown):
        _judged("committed", is_same_server=False)


def test_a_crash_makes_another_server_of_it_even_if_its_first_process_survives(
    own_server: PostgresServer,
) -> None:
    def incarnation() -> str:
        connection = connect(own_server.url(), application_name="test", timeouts=PATIENT)
        try:
            return connection.incarnation
        finally:
            connection.close()

    first = incarnation()
    assert incarnation() == first
    victim = own_server.admin()
    os.kill(victim.info.backend_pid, signal.SIGKILL)
    victim.close()
    seen = {first}
    for _ in range(100):
        try:
            seen.add(incarnation())
        except DatabaseUnavailable:
            continue
        if len(seen) == 2:
            break
    assert len(seen) == 2
    own_server.restart()
    assert incarnation() not in seen


def test_a_crash_gives_a_number_out_again(own_server: PostgresServer) -> None:
    """Why "committed" is not believed after a crash: it may be somebody else."""
    before = connect(own_server.url(), application_name="test", timeouts=PATIENT)
    [number] = before.begin(b"SELECT pg_current_xact_id();")
    assert number is not None
    own_server.restart("immediate")
    before.close()
    after = connect(own_server.url(), application_name="test", timeouts=PATIENT)
    for _ in range(10):
        after.begin(b"SELECT pg_current_xact_id();")
        assert after.commit()
    assert after.fate_of(number.decode()) == "committed"
    assert after.incarnation != before.incarnation
    after.close()


def test_a_number_that_no_transaction_ever_had_has_no_fate(postgres_url: str) -> None:
    connection = connect(postgres_url, application_name="test", timeouts=PATIENT)
    try:
        assert connection.fate_of("4000000000") is None
        [number] = connection.begin(b"SELECT pg_current_xact_id();")
        assert number is not None
        assert connection.fate_of(number.decode()) == "in progress"
        connection.rollback()
        assert connection.fate_of(number.decode()) == "aborted"
    finally:
        connection.close()
