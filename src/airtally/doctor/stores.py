"""Checks of the lake, the engine that reads it, and the stored files."""

from __future__ import annotations

import importlib.util
import secrets

from sqlglot import exp

from airtally.doctor.finding import MOST_NAMED, Finding, broken, to_mend, well
from airtally.doctor.premises import Premises
from airtally.doctor.spellings import split_ids
from airtally.engine.duckdb import DuckDB
from airtally.rollups.rollups import tables_of
from airtally.sql.statement import Statement
from airtally.storage.lake.health import LakeHealth
from airtally.storage.lake.status import MANY_LOG_FILES


def check_lake(premises: Premises) -> Finding:
    """Every log, and every data file of the newest versions."""
    lake = premises.lake()
    lake.check_folder()
    problems = LakeHealth(lambda: [*lake.tables(), *tables_of(lake)]).problems(thorough=True)
    if problems:
        return broken("lake", "; ".join(problems), "see what was found; docs/guides/operate.md, A damaged lake")
    tables = lake.existing()
    long = [table.stream.name for table in tables if len(table.storage.log_listing()) > MANY_LOG_FILES]
    mend = f"long logs ({', '.join(long)}): is a `serve` or `worker` running?" if long else None
    return to_mend("lake", f"{lake.url}, {len(tables)} tables", mend)


def check_engine(premises: Premises) -> Finding:
    settings = premises.settings
    if settings.engine != "duckdb" and importlib.util.find_spec("pyspark") is None:
        return broken("engine", settings.engine, "install the Spark client: pip install 'airtally[spark]'")
    with premises.engine() as engine:
        engine.query(Statement(exp.select(exp.alias_(exp.Literal.number(1), "one")), {}))
    return well("engine", settings.engine)


def check_ids(premises: Premises) -> Finding:
    """Nothing is to be mended: which of the spellings is meant only their senders know. Reads every id of the lake."""
    lake, settings = premises.lake(), premises.settings
    try:
        lake.check()
    except Exception:  # noqa: BLE001 (whatever it is, the look at the lake has told it)
        return well("ids", "not looked at, as the lake cannot be read")
    engine = DuckDB(memory=settings.engine_memory, seconds=None, temp_folder=settings.home / "tmp")
    try:
        split = split_ids(lake, engine)
    finally:
        engine.close()
    if not split:
        return well("ids", "matched without regard to the case of A to Z")
    named = "; ".join(map(str, split[:MOST_NAMED])) + ("; …" if len(split) > MOST_NAMED else "")
    return well("ids", f"{len(split)} that earlier releases took for one are told apart by their spelling: {named}")


def check_files(premises: Premises) -> Finding:
    """Writes a file and deletes it."""
    store, name = premises.files(), f"doctor-{secrets.token_hex(4)}.tmp"
    store.write(name, [b"ok"])
    store.delete(name)
    return well("files", premises.settings.files_url)
