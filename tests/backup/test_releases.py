"""A home that an earlier release made, and whose process was killed, is copied as it is before the upgrade."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from airtally.backup.make import HomeBackup
from airtally.backup.restore import HomeRestore
from airtally.runtime import open_services
from airtally.services import Role
from fixtures.homes import RELEASES, unpacked


def content_of(home: Path) -> dict[str, object]:
    """What an earlier program needs: rows of each table of the metadata, and the bytes of lake, buffer and files."""
    parts = ("lake", "buffer", "files")
    hints = {"_last_checkpoint"}
    found: dict[str, object] = {
        str(path.relative_to(home)): path.read_bytes()
        for part in parts
        for path in (home / part).rglob("*")
        if path.is_file() and path.name not in hints and path.suffix not in {".lock", ".crc"}
    }
    with closing(sqlite3.connect(home / "metadata.sqlite")) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for name in tables:
            found[f"table {name}"] = sorted(map(repr, connection.execute(f"SELECT * FROM {name}")))
    return found


@pytest.mark.parametrize("release", RELEASES)
def test_the_home_of_a_release_is_copied_as_it_is(tmp_path, release) -> None:
    kept = unpacked(release, tmp_path)
    before = content_of(kept.settings.home)
    assert len(before) > 20
    HomeBackup(kept.settings, tmp_path / "copy", kept.clock()).run()
    other = kept.settings.with_(home=tmp_path / "other")
    HomeRestore(tmp_path / "copy", other).run()
    restored = content_of(tmp_path / "other")
    assert {name: content for name, content in before.items() if restored.get(name) != content}.keys() <= vacuumed(
        before, restored
    )
    open_services(other, clock=kept.clock(), role=Role.NONE).close()


def vacuumed(before: dict[str, object], restored: dict[str, object]) -> set[str]:
    """Data files that no table names any more, which a backup leaves out."""
    return {name for name in before.keys() - restored.keys() if name.endswith(".parquet")}
