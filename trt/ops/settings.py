"""What the commands need of the environment; its reader is above this room and hands it down."""

from collections.abc import Callable, Mapping

from attrs import frozen

from trt.ops.doctor import Patient
from trt.storage.engines import DatabaseAddress


@frozen(kw_only=True)
class Settings:
    """Two ways to read an environment."""

    database: Callable[[Mapping[str, str]], DatabaseAddress]
    """Return where the database is; raises what the operator is told when nobody can tell."""
    patient: Callable[[Mapping[str, str]], Patient]
    """Return everything, whatever is wrong with it."""
