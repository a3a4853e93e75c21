"""Every benchmark from end to end at a size of seconds: that it works, not what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import references, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("name", sorted(run.BENCHMARKS))
def test_a_small_run_gives_figures(name: str, tmp_path: Path) -> None:
    if name == "ingest_file" and not references.DLT_PYTHON.exists():
        pytest.skip("dlt is not installed: `scripts/setup bench` does it")
    status = run.main([name, "--small", "--work", str(tmp_path / "work"), "--results", str(tmp_path / "results")])
    stored = json.loads((tmp_path / "results" / f"{name}.json").read_text())
    assert status == 0
    assert stored["figures"]
    assert stored["aims"]
