from __future__ import annotations

from pathlib import Path

from airtally.engine.scratch import Scratch


def test_scratch_left_by_a_crash_is_removed_and_that_of_the_living_kept(tmp_path: Path) -> None:
    living = Scratch(tmp_path, "duckdb")
    dead = tmp_path / "duckdb-dead"
    dead.mkdir()
    (dead / "rows.tmp").touch()
    second = Scratch(tmp_path, "duckdb")
    assert not dead.exists()
    assert living.folder.exists()
    living.close()
    second.close()
    assert not living.folder.exists()
