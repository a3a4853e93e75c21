"""What probes and `doctor` find wrong with the tables of a lake."""

from __future__ import annotations

import json

import pytest

from airtally.storage.lake.health import LakeHealth
from airtally.storage.lake.missing import give_up, missing
from airtally.streams.playlogs import PLAYLOGS
from fixtures.logs import again, commit, log_of
from fixtures.storage import Storage


def test_an_earlier_commit_that_is_empty_is_told_by_probes(filled: Storage) -> None:
    """Readers take it for one that brought nothing."""
    health = LakeHealth(again(filled).tables)
    assert health.problems() == []
    (log_of(filled) / commit(3)).write_bytes(b"")
    (told,) = health.problems()
    assert f"{commit(3)} is empty" in told


def test_missing_data_files_are_told_until_they_are_back_or_given_up(filled: Storage) -> None:
    table = again(filled).table(PLAYLOGS)
    health = LakeHealth(lambda: [table])
    assert (health.problems(), missing(table), give_up(table)) == ([], [], [])
    view = table.newest()
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
    assert len(table.newest().names) == 3  # type: ignore[union-attr]
    assert json.dumps(filled.medias())


def test_a_probe_looks_at_few_files_and_keeps_what_it_saw(filled: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airtally.storage.lake.health._AT_ONCE", 1)
    table = again(filled).table(PLAYLOGS)
    view = table.newest()
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
