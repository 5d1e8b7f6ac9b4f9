"""What can go wrong with the database, in the house's words."""


class DatabaseUnavailable(Exception):  # noqa: N818 - named for what happened
    """The database could not do it now: locked, full, read-only, broken disk, or closed.

    Nothing of the transaction was kept (but see `CommitUnknown`). Let it crash: the supervisor
    tries again with backoff, and an update or callback that was not stored is refused, so that its
    sender keeps it.
    """


class CommitUnknown(DatabaseUnavailable):
    """The connection broke during the commit, and whether it was kept could not be found out.

    As after a crash at that moment: read the state again, act on what is there, assume nothing.
    """


class Fenced(Exception):  # noqa: N818 - named for what happened
    """The lease moved on to another epoch (or was released): this writer is yesterday's.

    Nothing of the transaction was kept. Stop the active branch; never retry.
    """

    def __init__(self, lease_name: str, epoch: int) -> None:
        super().__init__(f"lease {lease_name!r} is no longer held under epoch {epoch}")


class LedgerMismatch(Exception):  # noqa: N818 - named for what happened
    """A retry of a transfer that differs from the first one, or a resolution of nothing.

    A bug of the caller, like TigerBeetle's `exists_with_different_…`. Nothing was kept.
    """


class DatabaseUnopenable(Exception):  # noqa: N818 - named for what happened
    """The database cannot be opened; the message names the file or server and the mend."""


class MigrationRefused(Exception):  # noqa: N818 - named for what happened
    """The root of everything that `migrate` refuses; the steps before the refused one are kept."""


class MigrationChanged(MigrationRefused):
    """A step that was already applied differs from its file: restore the file, add a new step."""


class MigrationMissing(MigrationRefused):
    """A number is missing in the series, or an applied step has no file: restore or renumber it."""


class MigrationDuplicate(MigrationRefused):
    """Two files have the same number: renumber the one that was not applied anywhere."""


class MigrationMisnamed(MigrationRefused):
    """A file in the folder is not called `NNNN_name.sql`: rename or remove it."""


class MigrationFailed(MigrationRefused):
    """A step's SQL failed and was rolled back whole: mend the SQL or the data it stumbled on."""


class ShardsDiffer(Exception):  # noqa: N818 - named for what happened
    """The installation has another number of shards than the configuration says."""

    def __init__(self, settled: int, configured: int) -> None:
        super().__init__(
            f"the database was set up for SHARDS={settled} and is started with SHARDS={configured}:"
            f" set SHARDS={settled}, the number cannot change once there are users"
        )


class DatabaseIsNewer(MigrationRefused):
    """The database was migrated by newer code: start that release, there is no way back."""
