"""Keep DuckDB from looking for pandas each time that it is given a value.

For each value of a statement's parameters, and each element of a list, DuckDB asks whether it is pandas' NaT or NA.
Where pandas is not installed it does not remember that: every value costs two failed imports, which look along the
whole path (docs/decisions/0019-duckdb-and-pandas.md has the measurement). No setting of DuckDB turns this off.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pyarrow as pa

_PANDAS = "pandas"


def settle_pandas(connection: Any) -> None:
    """Let DuckDB, which keeps what it has found for the life of the process, find two objects that no value is.

    To be called before anything else in the process gives DuckDB a value. Does nothing where pandas is installed:
    whoever embeds this program may give DuckDB data frames later, and DuckDB would go on seeing the stand-in.
    """
    if _PANDAS in sys.modules or _is_installed():
        return
    pa.array([0])  # PyArrow looks for pandas once, with its version: not while the stand-in is there
    stand_in = ModuleType(_PANDAS)
    stand_in.NaT, stand_in.NA = object(), object()  # type: ignore[attr-defined]
    sys.modules[_PANDAS] = stand_in
    try:
        connection.execute("SELECT $value", {"value": 0}).fetchall()
    finally:
        if sys.modules.get(_PANDAS) is stand_in:
            del sys.modules[_PANDAS]


def _is_installed() -> bool:
    try:
        return find_spec(_PANDAS) is not None
    except ImportError:  # a finder of the program's own that keeps it out
        return False
