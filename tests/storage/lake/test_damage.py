"""A table's log that cannot be trusted, whatever happened to it, and data files that are gone: named, and nothing else."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from airtally.storage.lake import Lake
from airtally.storage.lake.damage import TableDamaged, fault_of
from airtally.storage.lake.health import LakeHealth
from airtally.streams.playlogs import PLAYLOGS
from fixtures.logs import again, commit, log_of
from fixtures.storage import Storage

CHECKPOINT = f"{2:020d}.checkpoint.parquet"


def cut(name: str, size: int) -> Callable[[Path], None]:
    return lambda log: (log / name).write_bytes((log / name).read_bytes()[:size])


def gone(name: str) -> Callable[[Path], None]:
    return lambda log: (log / name).unlink()


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "the last commit cut off": (cut(commit(4), 40), commit(4)),
    "the last commit empty": (cut(commit(4), 0), commit(4)),
    "an earlier commit cut off": (cut(commit(3), 40), commit(3)),
    "a commit overwritten": (lambda log: (log / commit(4)).write_bytes(b"\xff\x00" * 40), commit(4)),
    "a commit gone": (gone(commit(3)), commit(3)),
    "the checkpoint gone": (gone(CHECKPOINT), CHECKPOINT),
    "the checkpoint cut off": (cut(CHECKPOINT, 100), CHECKPOINT),
    "the checkpoint empty": (cut(CHECKPOINT, 0), CHECKPOINT),
    "the whole log gone": (shutil.rmtree, "_delta_log is gone"),
    "an empty log": (lambda log: [each.unlink() for each in log.iterdir()] and None, "_delta_log is gone"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_log_is_named_with_its_file(filled: Storage, case: str) -> None:
    """By whoever opens the table, by probes and by `doctor`; nobody makes a new table over what is there."""
    damage, named = DAMAGES[case]
    lake = again(filled)
    health = LakeHealth(lake.tables)
    assert health.problems() == []
    damage(log_of(filled))
    (told,) = health.problems()
    (thorough,) = LakeHealth(again(filled).tables).problems(thorough=True)
    for words in (told, thorough):
        assert "table playlogs is damaged" in words
        assert named in words
        assert "airtally doctor" in words
        assert str(filled.home) not in words
    with pytest.raises(TableDamaged, match="playlogs"):
        again(filled).check()
    with pytest.raises(TableDamaged):
        again(filled).table(PLAYLOGS).open()
    assert again(filled).existing() == []


def test_a_log_as_it_is_left_by_care_is_well(filled: Storage) -> None:
    files = again(filled).table(PLAYLOGS).storage
    assert fault_of(files) is None
    (log_of(filled) / "_last_checkpoint").write_text("no JSON")  # readers pass over it
    assert fault_of(files) is None
    assert again(filled).table(PLAYLOGS).exists()
    assert LakeHealth(Lake(str(filled.home / "nothing"), clock=filled.clock).tables).problems() == []


def test_damage_crosses_processes() -> None:
    found = pickle.loads(pickle.dumps(TableDamaged("playlogs", "x is empty")))
    assert (found.message, found.table) == ("The log of table playlogs is damaged: x is empty", "playlogs")
