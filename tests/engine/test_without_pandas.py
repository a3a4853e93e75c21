"""DuckDB does not look for pandas at each value; in processes of their own, since what it found it keeps."""

from __future__ import annotations

import subprocess
import sys

_LOOKS = """
import sys, tempfile
from pathlib import Path

looks = []

class NotInstalled:  # as on a server, which has no pandas
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pandas":
            looks.append(name)
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, NotInstalled())
"""
_DUCKDB_ALONE = """
import duckdb

duckdb.connect(":memory:").execute("SELECT $many, $one", {"many": ["a", "b"], "one": 1}).fetchall()
print(len(looks), "pandas" in sys.modules)
"""
_ENGINE = """
import pyarrow as pa
from sqlglot import parse_one
from airtally.engine.duckdb import DuckDB
from airtally.sql.statement import Statement

pa.array(["Arrow looks for pandas once"])
with tempfile.TemporaryDirectory() as folder:
    engine = DuckDB(memory=64 << 20, seconds=10, temp_folder=Path(folder))
    looks.clear()
    tree = parse_one("SELECT $many AS many, $one AS one, x FROM r", read="duckdb")
    values = {"many": ["a", "b"], "one": 1}
    answer = engine.query(Statement(tree, {"r": pa.table({"x": [None]})}, values))
    engine.close()
print(len(looks), "pandas" in sys.modules, answer.to_pylist())
"""


def _printed(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", _LOOKS + program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_duckdb_alone_looks_for_it_at_each_value() -> None:
    """When this fails, DuckDB remembers by itself, and `engine/without_pandas.py` can go."""
    assert _printed(_DUCKDB_ALONE) == "8 False"


def test_the_engine_never_looks_for_it() -> None:
    assert _printed(_ENGINE) == "0 False [{'many': ['a', 'b'], 'one': 1, 'x': None}]"


def test_pandas_that_is_loaded_stays() -> None:
    program = """
sys.meta_path.pop(0)
import pandas
from airtally.engine.duckdb import DuckDB
with tempfile.TemporaryDirectory() as folder:
    DuckDB(memory=64 << 20, seconds=10, temp_folder=Path(folder)).close()
print(sys.modules["pandas"] is pandas)
"""
    assert _printed(program) == "True"
