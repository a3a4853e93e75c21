"""What a confined process need not load, as the process that it is forked from has loaded it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from airtally.engine.confined import relations
relations.load_dialect()
loaded = set(sys.modules)
print(relations._view("_0_rows_0", ["account", "time"], ["opened://0", "opened://1"], shared=True))
print(sorted(set(sys.modules) - loaded))
"""


def test_views_of_files_are_written_with_nothing_loaded_anew() -> None:
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    view, loaded = told.stdout.splitlines()
    assert view.startswith('CREATE TEMP VIEW "_0_rows_0" AS SELECT "account", "time" FROM READ_PARQUET(')
    assert loaded == "[]"
