"""The scripts that developers run by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("walk", "through"),
    [
        ("insights", {"vendors/tapjoy/routes.py", "rollups/plan.py", "engine/duckdb.py"}),
        ("report", {"ingest/service.py", "storage/flush.py", "reports/build.py", "vendors/fouryousee/routes.py"}),
    ],
)
def test_a_traced_walk_names_the_files_it_runs_through(walk, through):
    command = [sys.executable, SCRIPTS / "trace-modules", "--files", walk]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    files = {line.strip().partition(":")[0] for line in ended.stdout.splitlines() if line.startswith("  ")}
    assert through <= files
    assert "console/pages.py" not in files
