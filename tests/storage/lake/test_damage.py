"""A table's log that cannot be trusted, whatever happened to it, and data files that are gone: named, and nothing else."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from airtally.storage.lake import Lake
from airtally.storage.lake.damage import TableDamaged, fault_of
from airtally.storage.lake.health import LakeHealth
from airtally.storage.lake.missing import give_up, missing
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import Storage

CHECKPOINT = f"{2:020d}.checkpoint.parquet"


def commit(version: int) -> str:
    return f"{version:020d}.json"


def log_of(storage: Storage) -> Path:
    return storage.home / "lake" / "playlogs" / "_delta_log"


@pytest.fixture
def filled(storage: Storage) -> Storage:
    """Commits 0 to 4, a checkpoint of the third among them; what is before it is cleaned up."""
    for media in range(4):
        storage.add((media, None, 0))
        storage.event_store.flush()
        if media == 1:
            storage.lake.table(PLAYLOGS).open().create_checkpoint()
    for version in (0, 1):
        (log_of(storage) / commit(version)).unlink()
    return storage


def again(storage: Storage) -> Lake:
    """As another process opens it."""
    return Lake(str(storage.home / "lake"), clock=storage.clock)


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


def test_an_earlier_commit_that_is_empty_is_told_by_probes(filled: Storage) -> None:
    """Readers take it for one that brought nothing."""
    health = LakeHealth(again(filled).tables)
    assert health.problems() == []
    (log_of(filled) / commit(3)).write_bytes(b"")
    (told,) = health.problems()
    assert f"{commit(3)} is empty" in told


def test_damage_crosses_processes() -> None:
    found = pickle.loads(pickle.dumps(TableDamaged("playlogs", "x is empty")))
    assert (found.message, found.table) == ("The log of table playlogs is damaged: x is empty", "playlogs")


def test_missing_data_files_are_told_until_they_are_back_or_given_up(filled: Storage) -> None:
    table = again(filled).table(PLAYLOGS)
    health = LakeHealth(lambda: [table])
    assert (health.problems(), missing(table), give_up(table)) == ([], [], [])
    view = table.view()
    assert view is not None
    first, second = (log_of(filled).parent / name for name in view.names[:2])
    first.rename(filled.home / "aside")
    second.unlink()
    (told,) = health.problems()
    assert told == LakeHealth(again(filled).tables).problems(thorough=True)[0]
    assert "missing from table playlogs" in told
    assert "airtally lake missing --give-up" in told
    assert {first.name, second.name} == {
        name.rpartition("/")[2] for name in told.split(": ")[1].split(". ")[0].split(", ")
    }
    (filled.home / "aside").rename(first)
    (told,) = health.problems()
    assert first.name not in told
    assert [file.name for file in give_up(table)] == [view.names[1]]
    assert (health.problems(), missing(table)) == ([], [])
    assert len(table.view().names) == 3  # type: ignore[union-attr]
    assert json.dumps(filled.medias())


def test_a_probe_looks_at_few_files_and_keeps_what_it_saw(filled: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airtally.storage.lake.health._AT_ONCE", 1)
    table = again(filled).table(PLAYLOGS)
    view = table.view()
    assert view is not None
    health = LakeHealth(lambda: [table])
    lost = log_of(filled).parent / view.names[2]
    lost.unlink()
    told = [health.problems() for _ in range(6)]
    assert told[:2] == [[], []]
    assert all(lost.name in words for (words,) in told[2:])
    other = LakeHealth(lambda: [table])
    other.note({"playlogs": view.names})
    (words,) = other.problems()
    assert "file is missing" in words
