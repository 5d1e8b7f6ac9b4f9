"""A real PostgreSQL server for tests and benches: started in a moment, broken at will."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Literal

import psycopg

from trt.testing.postgres_install import (
    OWNER,
    PostgresServerFailed,
    as_server_user,
    copy_template,
    memory_folder,
    new_folder,
    programs,
    template,
)

StopMode = Literal["smart", "fast", "immediate"]
# PostgreSQL, "Shutting Down the Server".
_STOP_SIGNALS: dict[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "16MB",
    "max_wal_size": "64MB",
    "min_wal_size": "2MB",
    "timezone": "UTC",
    "jit": "off",
}
# Nothing here survives a power cut, and nothing needs to.
_NOT_DURABLE = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "io_method": "sync",
    "deadlock_timeout": "20ms",
}
# Outlives whoever started the server by a moment, whatever ended them: the pipe to it closes, and
# it stops the server and removes the folders. It also tells the server's pid, and ends when the
# server has ended.
_GUARD = """
log=$1 home=$2 sockets=$3 template=$4; shift 4; exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- & server=$!
{ read -r _; kill -CONT $server $(cat /proc/$server/task/$server/children); kill -QUIT $server; } \
    <&3 >/dev/null 2>&1 & watch=$!
echo $server
wait $server; status=$?
kill $watch; wait $watch && rm -rf "$home" "$sockets" "$template"
exit $status
"""
# In steps of _POLL_S.
_POLL_S = 0.01
_START_POLLS_MAX = 3000
_STOP_S_MAX = 30
_PAUSE = threading.Event()
# proc(5): stopped by a signal; a zombie, or nobody any more.
_STOPPED = "T"
_ENDED = ("Z", "X", "")


@contextmanager
def open_postgres_server(
    *,
    is_durable: bool = False,
    settings: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator["PostgresServer"]:
    """Start a server with a data folder of its own; on the way out it is stopped and removed.

    Args:
        is_durable: Whether a commit waits for the disk, as in production; for benches.
        settings: Lines of `postgresql.conf`, such as `{"max_connections": "10"}`.
        folder: Where the data folder is made, such as a small file system; the server's user must
            be able to enter it. By default in memory, or on disk when it is to be durable.

    Raises:
        PostgresServerFailed: The server did not start.
    """
    sockets = new_folder()
    home = new_folder(folder or (None if is_durable else memory_folder()))
    defaults = _SETTINGS if is_durable else _SETTINGS | _NOT_DURABLE
    try:
        copy_template(home / "data")
        server = PostgresServer(home / "data", sockets, defaults | dict(settings or {}))
        server.start()
        try:
            yield server
        finally:
            if server.is_running:
                server.thaw()
                server.stop("immediate")
    finally:
        for made in (home, sockets):
            shutil.rmtree(made, ignore_errors=True)


class PostgresServer:
    """One cluster, its server process and its port; every method may block for a moment."""

    def __init__(self, data: Path, sockets: Path, settings: Mapping[str, str]) -> None:
        self.data = data
        self.port = _free_port()
        self._sockets = sockets
        self._settings = settings
        self._numbers = count(1)
        self._pid = 0
        self._guard: subprocess.Popen[str] | None = None

    @property
    def log(self) -> Path:
        """The file with what the server said."""
        return self._sockets / "log"

    def url(self, database: str = "postgres", *, user: str = OWNER, port: int | None = None) -> str:
        """Return the address of a database, by default for the ordinary role.

        Args:
            database: A name, for instance of `fresh_database`.
            user: A role; "postgres" is the superuser.
            port: Another port than the server's, such as a proxy's.
        """
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    def admin(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Connect as the superuser, past all limits for others; in autocommit mode."""
        return psycopg.connect(
            f"host={self._sockets} port={self.port} user=postgres dbname={database}",
            autocommit=True,
            connect_timeout=5,
        )

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """Make an empty database, give its URL, and drop it afterwards with whoever is in it."""
        name = f"fresh_{next(self._numbers)}"
        with self.admin() as admin:
            # The quickest strategy where nothing waits for the disk.
            admin.execute(
                f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE template0 STRATEGY file_copy"
            )
        try:
            yield self.url(name)
        finally:
            if self.is_running:
                with self.admin() as admin:
                    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    # Starting and stopping.

    @property
    def is_running(self) -> bool:
        """Whether there is a server process, frozen or not."""
        return self._guard is not None and self._guard.poll() is None

    def start(self) -> None:
        """Start the server and wait until it takes connections.

        Raises:
            PostgresServerFailed: It ended at once or never got ready; the log is in the message.
        """
        assert not self.is_running
        options = [f"-D{self.data}", f"-k{self._sockets}", f"-p{self.port}"]
        options += [f"--{name}={value}" for name, value in self._settings.items()]
        program = programs() / "postgres"
        folders = (self.log, self.data.parent, self._sockets, template().parent)
        self._guard = subprocess.Popen(  # noqa: S603 - the wheel's own program
            ["/bin/sh", "-c", _GUARD, "guard", *map(str, folders), str(program), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            **as_server_user(),
        )
        assert self._guard.stdout is not None
        self._pid = int(self._guard.stdout.readline())
        for _ in range(_START_POLLS_MAX):
            with suppress(subprocess.TimeoutExpired):
                self._guard.wait(_POLL_S)
                break
            with suppress(psycopg.OperationalError):
                self.admin().close()
                return
        if self._guard.poll() is None:
            self.kill()
        else:
            self._wait_for_the_end()
        raise PostgresServerFailed(f"the server did not start: {self.log.read_text()[-2000:]}")

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server: `fast` ends its sessions, `immediate` is a crash it can recover from."""
        os.kill(self._pid, _STOP_SIGNALS[mode])
        self._wait_for_the_end()

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start on the same port with the same data."""
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """Take every process of the server away at once, as a power cut would."""
        self.freeze()
        children = _children_of(self._pid)
        self._signal(signal.SIGKILL, self._pid, *children)
        self._wait_for_the_end()
        # The next server cannot start while one of them still has the shared memory.
        while any(_status_of(child)[0] not in _ENDED for child in children):
            _PAUSE.wait(_POLL_S)

    def freeze(self) -> None:
        """Stop every process where it is: connections stay open and nothing answers."""
        self._stop_in_place(self._pid)  # First, so that it starts no more children.
        self._stop_in_place(*_children_of(self._pid))

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._signal(signal.SIGCONT, *_children_of(self._pid), self._pid)

    def _stop_in_place(self, *pids: int) -> None:
        self._signal(signal.SIGSTOP, *pids)
        while any(_status_of(pid)[0] not in (_STOPPED, *_ENDED) for pid in pids):
            _PAUSE.wait(_POLL_S)

    def _signal(self, number: signal.Signals, *pids: int) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _wait_for_the_end(self) -> None:
        guard, self._guard = self._guard, None
        assert guard is not None
        with guard:  # Closes its pipes.
            guard.wait(_STOP_S_MAX)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _children_of(parent: int) -> list[int]:
    """Return the pids of a process's children."""
    pids = sorted(int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [pid for pid in pids if _status_of(pid)[1] == str(parent)]


def _status_of(pid: int) -> tuple[str, str]:
    """Return the state letter and the parent's pid, both empty when there is no such process."""
    try:
        # proc(5): the name is in brackets and may contain anything.
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "", ""
    return state, parent
