"""Which types the columns have, on each engine."""

from tests.storage.engine import Engine, SQLiteEngine
from trt.storage.database import Transaction

_SQLITE = """
    SELECT c.name, c.type FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'
    """
_POSTGRES = """
    SELECT column_name, data_type FROM information_schema.columns
    WHERE table_schema = current_schema()
    """


def test_pain_20_money_is_whole_and_every_time_is_of_one_kind(
    engine: Engine, tx: Transaction
) -> None:
    """A naive time beside an aware one crashed the reconciler; money in fractions never adds up."""
    is_sqlite = isinstance(engine, SQLiteEngine)
    columns = list(tx.execute(_SQLITE if is_sqlite else _POSTGRES))
    money = {kind for name, kind in columns if name.endswith("_kopecks")}
    sums = {kind for name, kind in columns if name.startswith(("debits_", "credits_p"))}
    times = {kind for name, kind in columns if name.endswith("_at")}
    assert money == sums == ({"INTEGER"} if is_sqlite else {"bigint"})
    assert times == ({"REAL"} if is_sqlite else {"double precision"})
