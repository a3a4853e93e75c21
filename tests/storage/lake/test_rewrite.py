"""The rewrite of one day: checked against the log, sorted in groups when it is large."""

from __future__ import annotations

import pytest

from airtally.storage.lake.compaction import CompactionPolicy
from airtally.storage.lake.rewrite import Rewrite, RowsDiffer, rewrite
from fixtures.storage import Storage, add_flushed, compact


def test_a_rewrite_that_does_not_match_the_log_is_refused(storage: Storage) -> None:
    add_flushed(storage, (1, "a", 0), (2, None, 0))
    view = storage.table.newest()
    assert view is not None
    file = view.files[0]
    job = Rewrite("playlogs", storage.table.url, {}, file.data.day, (file.name,), (), 3, 64 << 20)
    with pytest.raises(RowsDiffer):
        rewrite(job)


def test_accounts_are_sorted_in_groups_when_a_day_is_large(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airtally.storage.lake.rewrite._SORTED_ROWS", 3)
    for account in ("a", "b", "c'd"):
        add_flushed(storage, (1, "x", 0), (2, "x", 0), (3, None, 0), account=account)
    assert compact(storage, CompactionPolicy(uncompacted_files=0)) == 1
    assert [storage.medias(account) for account in ("a", "b", "c'd")] == [[2, 3]] * 3
    assert len(storage.snapshot("a").compacted) == 1
    assert storage.snapshot("a").compacted != storage.snapshot("b").compacted
