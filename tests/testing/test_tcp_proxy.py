"""The proxy that goes bad: what is held up, what is lost, and what still gets through."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from attrs import frozen

from trt.testing.tcp_proxy import TcpProxy, open_tcp_proxy


@frozen
class Line:
    """A client and a server with the proxy in between."""

    proxy: TcpProxy
    client: socket.socket
    server: socket.socket

    def ask(self, text: bytes) -> bytes:
        self.client.sendall(text)
        return self.server.recv(100)

    def answer(self, text: bytes) -> bytes:
        self.server.sendall(text)
        return self.client.recv(100)


@pytest.fixture
def line() -> Iterator[Line]:
    with open_line() as opened:
        yield opened


@contextmanager
def open_line() -> Iterator[Line]:
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        proxy = stack.enter_context(open_tcp_proxy(listening.getsockname()[1]))
        client = stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port)))
        server = stack.enter_context(listening.accept()[0])
        for side in (client, server):
            side.settimeout(5)
        yield Line(proxy, client, server)


def hears_nothing(side: socket.socket) -> bool:
    side.settimeout(0.05)
    try:
        side.recv(100)
    except TimeoutError:
        return True
    finally:
        side.settimeout(5)
    return False


def test_it_forwards_both_ways(line: Line) -> None:
    assert line.ask(b"question") == b"question"
    assert line.answer(b"answer") == b"answer"


def test_a_cut_holds_everything_up_until_it_is_healed(line: Line) -> None:
    line.proxy.cut()
    line.client.sendall(b"question")
    line.server.sendall(b"answer")
    assert hears_nothing(line.server)
    assert hears_nothing(line.client)
    line.proxy.heal()
    assert line.server.recv(100) == b"question"
    assert line.client.recv(100) == b"answer"


def test_one_direction_can_be_cut_alone(line: Line) -> None:
    line.proxy.cut("to_client")
    assert line.ask(b"question") == b"question"
    line.server.sendall(b"answer")
    line.server.close()
    assert hears_nothing(line.client)
    line.proxy.heal()
    assert line.client.recv(100) == b"answer"
    assert line.client.recv(100) == b""


def test_a_reset_ends_both_sides(line: Line) -> None:
    line.proxy.reset()
    for side in (line.client, line.server):
        with pytest.raises(ConnectionResetError):
            side.recv(100)


def test_a_refusing_proxy_lets_nobody_through_until_it_is_healed(line: Line) -> None:
    line.proxy.refuse()
    with pytest.raises(ConnectionResetError):
        line.client.recv(100)
    with socket.create_connection(("127.0.0.1", line.proxy.port)) as late:
        late.settimeout(5)
        with pytest.raises(ConnectionResetError):
            late.recv(100)


@pytest.mark.parametrize("is_forwarded", [True, False])
def test_a_trap_springs_at_the_chosen_request_and_only_once(
    line: Line, *, is_forwarded: bool
) -> None:
    trap = line.proxy.set_trap(b"COMMIT", "cut", is_forwarded=is_forwarded)
    assert line.ask(b"BEGIN") == b"BEGIN"
    assert not trap.sprung.is_set()
    line.client.sendall(b"COMMIT")
    assert trap.sprung.wait(5)
    if is_forwarded:
        assert line.server.recv(100) == b"COMMIT"
    line.server.sendall(b"done")
    assert hears_nothing(line.client)
    line.proxy.heal()
    if not is_forwarded:
        assert line.server.recv(100) == b"COMMIT"
    assert line.client.recv(100) == b"done"
    assert line.ask(b"COMMIT") == b"COMMIT"
