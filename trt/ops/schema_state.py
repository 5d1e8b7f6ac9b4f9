"""Whether a database has the tables that this release reads."""

from enum import StrEnum

from attrs import frozen

from trt.assets import asset
from trt.ops.database_door import Door
from trt.storage.database import Transaction
from trt.storage.errors import DatabaseIsNewer, DatabaseUnopenable, MigrationRefused
from trt.storage.migrate_series import Migration, next_step, read_folder


class SchemaAge(StrEnum):
    """The schema beside this release."""

    EMPTY = "empty"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"
    BROKEN = "broken"


@frozen(kw_only=True)
class SchemaState:
    """What the database remembers of its migrations, compared with this release's."""

    age: SchemaAge
    detail: str
    """For the operator: the last step, the next one, or what is broken and its mend."""

    @property
    def is_readable(self) -> bool:
        """Whether our questions can be asked; a newer release only adds."""
        return self.age in {SchemaAge.CURRENT, SchemaAge.NEWER}


async def schema_state(door: Door) -> SchemaState:
    """Compare a database with this release; changes nothing."""
    if not await door.read(door.has_migrations):
        return SchemaState(age=SchemaAge.EMPTY, detail="nothing was ever migrated")
    files = read_folder(asset("migrations") / ("postgres" if door.file is None else "sqlite"))
    applied = await door.read(_applied)
    try:
        step = next_step(files, applied)
    except DatabaseIsNewer as newer:
        return SchemaState(age=SchemaAge.NEWER, detail=str(newer))
    except MigrationRefused as refused:
        return SchemaState(age=SchemaAge.BROKEN, detail=str(refused))
    if step is not None:
        return SchemaState(age=SchemaAge.OLDER, detail=f"{step.name} is not applied yet")
    return SchemaState(age=SchemaAge.CURRENT, detail=files[-1].name)


async def require_readable(door: Door) -> None:
    """Let only a database pass that this release can read.

    Raises:
        DatabaseUnopenable: It has not the tables; the message says how to get them.
    """
    state = await schema_state(door)
    if not state.is_readable:
        raise DatabaseUnopenable(
            f"this release cannot read the database ({state.detail}): run `trt migrate`"
        )


def _applied(tx: Transaction) -> list[Migration]:
    rows = tx.execute("SELECT number, name, checksum FROM schema_migrations ORDER BY number")
    return [Migration(number=number, name=name, checksum=sha) for number, name, sha in rows]
