"""Pages of a main file that are damaged, with no log to make up for them: what is whole is counted, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from airtally.storage.buffer.store import PAGE_BYTES
from fixtures.damage import counted_once, died, log_of, overwrite, rubbish, truncate
from fixtures.storage import Storage


def checkpointed(storage: Storage, tmp_path: Path, count: int = 60) -> Path:
    """`count` batches of some 1,500 bytes, several a page, all in the main file; no log."""
    for media in range(count):
        storage.add((media, f"{media}" * 40, 0))
    storage.buffer.tidy()
    path = died(storage, tmp_path)
    assert log_of(path).stat().st_size == 0
    return path


def pages(path: Path, kind: int) -> list[int]:
    data = path.read_bytes()
    return [page for page in range(1, len(data) // PAGE_BYTES) if data[page * PAGE_BYTES] == kind]


@pytest.mark.parametrize("data", [bytes(100), rubbish(100), bytes(PAGE_BYTES), rubbish(PAGE_BYTES)])
def test_a_damaged_header_or_schema_page_without_a_log_loses_nothing(storage, tmp_path, data):
    path = checkpointed(storage, tmp_path)
    overwrite(path, 0, data)
    counted_once(storage, path, list(range(60)))


@pytest.mark.parametrize("start", [20, 103, 1000, 7900])
def test_a_damaged_schema_loses_nothing(storage, tmp_path, start):
    path = checkpointed(storage, tmp_path)
    overwrite(path, start, rubbish(200))
    other = storage.again()
    other.flusher().step()
    assert other.medias() == list(range(60))


@pytest.mark.parametrize("data", [bytes(PAGE_BYTES), rubbish(PAGE_BYTES)])
def test_a_damaged_root_loses_nothing_as_each_leaf_is_read(storage, tmp_path, data):
    path = checkpointed(storage, tmp_path)
    assert path.read_bytes()[PAGE_BYTES] == 5, "an inner page"
    overwrite(path, PAGE_BYTES, data)
    counted_once(storage, path, list(range(60)))


def test_a_damaged_leaf_costs_its_own_batches_alone(storage, tmp_path):
    path = checkpointed(storage, tmp_path)
    leaves = [page for page in pages(path, 13) if page != 2]
    overwrite(path, leaves[1] * PAGE_BYTES, bytes(PAGE_BYTES))
    other = storage.again()
    other.flusher().step()
    found = other.medias()
    assert found == sorted(set(found))
    assert 60 - PAGE_BYTES // 1_000 <= len(found) < 60
    assert f"{len(found)} rows in {len(found)} batches were recovered" in other.buffer.problems()[0]


def test_rubbish_within_one_batch_costs_that_batch(storage, tmp_path):
    """SQLite sees nothing wrong with it: the packed rows do."""
    path = checkpointed(storage, tmp_path)
    leaf = [page for page in pages(path, 13) if page != 2][1]
    overwrite(path, (leaf + 1) * PAGE_BYTES - 700, rubbish(400))
    other = storage.again()
    other.flusher().step()
    assert len(other.medias()) == 59
    assert other.buffer.problems()


@pytest.mark.parametrize("part", [0.5, 0.8])
def test_a_main_file_cut_short_keeps_what_is_left(storage, tmp_path, part):
    path = checkpointed(storage, tmp_path)
    truncate(path, int(path.stat().st_size * part))
    other = storage.again()
    other.flusher().step()
    found = other.medias()
    assert found == sorted(set(found))
    assert 60 * (part - 0.25) < len(found) < 60
    assert other.buffer.problems()


def test_a_batch_of_many_pages_damaged_in_its_middle_costs_itself(storage, tmp_path):
    storage.add((1, None, 0))
    storage.add(*((media, rubbish(90).hex(), 0) for media in range(2, 902)))
    storage.add((902, None, 0))
    storage.buffer.tidy()
    path = died(storage, tmp_path)
    overwrite(path, path.stat().st_size // 2, rubbish(3 * PAGE_BYTES))
    other = storage.again()
    other.flusher().step()
    assert other.medias() == [1, 902]
    assert "2 rows in 2 batches" in other.buffer.problems()[0]


def test_a_name_that_is_damaged_is_not_taken_for_a_newer_versions(storage: Storage, tmp_path: Path) -> None:
    """Else the whole file would wait for a version that does not exist."""
    path = checkpointed(storage, tmp_path)
    overwrite(path, path.read_bytes().index(b"played_at") + 7, b"x")
    other = storage.again()
    other.flusher().step()
    assert len(other.medias()) == 59
    assert "unlike others of its stream" in other.buffer.problems()[0]
