"""A real PgBouncer in transaction mode before a PostgreSQL server, for tests."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from trt.testing.postgres_install import OWNER, as_server_user, new_folder
from trt.testing.postgres_server import PostgresServer

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
"""Debian's package; None where it is not installed."""
_POLL_S = 0.01
_START_POLLS_MAX = 1000
_STOP_S_MAX = 10
_PAUSE = threading.Event()
_SETTINGS = """
[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 8
"""


class PoolerFailed(Exception):  # noqa: N818 - an operating error
    """The pooler did not start; the message has its last words."""


@contextmanager
def open_pooler(server: PostgresServer) -> Iterator[int]:
    """Start a pooler before `server` and yield its port; it is gone afterwards.

    Raises:
        PoolerFailed: It does not listen.
    """
    assert PROGRAM is not None, "install Debian's pgbouncer"
    folder, port = new_folder(), _free_port()
    (folder / "users").write_text(f'"{OWNER}" ""\n')
    settings = folder / "pgbouncer.ini"
    settings.write_text(_SETTINGS.format(server_port=server.port, port=port, folder=folder))
    for made in (folder, settings, folder / "users"):
        made.chmod(0o755)
    log = folder / "log"
    try:
        with log.open("wb") as words:
            process = subprocess.Popen(  # noqa: S603 - Debian's own program
                [PROGRAM, str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                **as_server_user(),
            )
        try:
            _wait_until_it_listens(process, port)
            yield port
        finally:
            process.kill()
            process.wait(_STOP_S_MAX)
    except PoolerFailed:
        raise PoolerFailed(log.read_text()[-2000:]) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(_START_POLLS_MAX):
        if process.poll() is not None:
            break
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        _PAUSE.wait(_POLL_S)
    raise PoolerFailed


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
