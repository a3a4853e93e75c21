from __future__ import annotations

import json
from pathlib import Path

from benchmarks.harness import RESULTS, Aim, Result

from benchmarks import report


def test_the_page_is_what_the_results_say() -> None:
    if any(RESULTS.glob("*.json")):
        assert report.PAGE.read_text(encoding="utf-8") == report.page()


def test_aims_missed_are_shown_as_missed(tmp_path: Path) -> None:
    aims = [Aim("rows/s", 250_000, 300_000), Aim("p99", 12.5, 40, "ms", at_most=True)]
    Result("ingest_batches_10k", "rows", {"rows": 5}, {"rows/s": 250_000}, {"DuckDB": 1e6}, 0.25, aims).store(tmp_path)
    text = report.page(tmp_path)
    assert "rows/s: 250,000 | at least 300,000 | **not reached** |" in text
    assert "p99: 12.5 ms | at most 40 ms | reached |" in text
    assert "ratio to the reference | 0.25" in text


def test_a_stored_result_says_what_it_was_measured_on(tmp_path: Path) -> None:
    Result("idle", "nothing", {}, {}).store(tmp_path)
    stored = json.loads((tmp_path / "idle.json").read_text())
    assert stored["machine"]["cores"] >= 1
    assert {"duckdb", "deltalake"} <= set(stored["versions"])
    assert stored["measured"].endswith("+00:00")
