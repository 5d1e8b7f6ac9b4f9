"""The series of migration steps: numbered SQL files, and what a database remembers of them."""

import hashlib
import re
from collections.abc import Sequence
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path

from attrs import frozen

from trt.storage.errors import (
    DatabaseIsNewer,
    MigrationChanged,
    MigrationDuplicate,
    MigrationMisnamed,
    MigrationMissing,
)

_FILE_NAME = re.compile(r"(?P<number>\d{4})_\w+\.sql")


@frozen(kw_only=True)
class Migration:
    """One step: a file of the series, or the memory of one in the database."""

    number: int
    name: str
    """The file's name."""
    checksum: str
    sql: str = ""


def read_folder(folder: Traversable | Path) -> tuple[Migration, ...]:
    """Return the steps of a folder in order, after checking that they form a series from 1.

    Raises:
        MigrationMisnamed: A file has another kind of name.
        MigrationDuplicate: Two files have one number.
        MigrationMissing: A number is left out.
    """
    files = [_read(entry) for entry in folder.iterdir() if entry.name.endswith(".sql")]
    files.sort(key=lambda file: (file.number, file.name))
    for earlier, later in pairwise(files):
        if earlier.number == later.number:
            raise MigrationDuplicate(
                f"{earlier.name} and {later.name} have the same number: "
                "renumber the one that was not applied anywhere"
            )
    for expected, file in enumerate(files, start=1):
        if file.number != expected:
            raise MigrationMissing(
                f"{file.name} was found where number {expected:04} was expected: "
                "restore the missing file, or renumber this one"
            )
    return tuple(files)


def next_step(files: Sequence[Migration], applied: Sequence[Migration]) -> Migration | None:
    """Compare what the database remembers with the files and return the step to apply, if any.

    Args:
        files: A series from 1.
        applied: What was applied, in order of number.

    Raises:
        DatabaseIsNewer: The database has steps after the last file.
        MigrationMissing: The database's memory has a hole.
        MigrationChanged: A file is not the one that was applied.
    """
    if applied and applied[-1].number > len(files):
        raise DatabaseIsNewer(
            f"the database has {applied[-1].name} and this release ends at "
            f"{files[-1].name if files else 'no step at all'}: start the newer release"
        )
    for expected, memory in enumerate(applied, start=1):
        file = files[expected - 1]
        if memory.number != expected:
            raise MigrationMissing(
                f"{file.name} was never applied and {memory.name} after it was: "
                "restore the database from a backup, or apply it by hand and note it"
            )
        if (memory.name, memory.checksum) != (file.name, file.checksum):
            raise MigrationChanged(
                f"{file.name} differs from {memory.name} as it was applied (checksum "
                f"{file.checksum[:12]}, expected {memory.checksum[:12]}): "
                "restore the file and put the change into a new step"
            )
    return files[len(applied)] if len(applied) < len(files) else None


def _read(entry: Traversable | Path) -> Migration:
    match = _FILE_NAME.fullmatch(entry.name)
    if match is None:
        raise MigrationMisnamed(
            f"{entry.name} is not called NNNN_name.sql: rename it, or move it out of the folder"
        )
    sql = entry.read_text(encoding="utf-8")
    return Migration(
        number=int(match["number"]),
        name=entry.name,
        checksum=hashlib.sha256(sql.encode()).hexdigest(),
        sql=sql,
    )
