"""Published files on both metadata stores: which are listed, and where their links lead."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, insert, update

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import dataset_files
from airtally.datasets.dataset import Dataset
from airtally.datasets.files import DatasetFiles
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Forbidden, NotFound
from airtally.kit.paging import ALL, Slice
from airtally.vendors.slate.entries import NewBusiness
from airtally.vendors.slate.register import Register
from fixtures.accounts import NOW_US

SECOND = 1_000_000


@pytest.fixture
def files(metadata: MetadataStore, clock: MovableClock) -> DatasetFiles:
    return DatasetFiles(metadata, clock)


def dataset_of(metadata: MetadataStore, clock: MovableClock, account: Account) -> Dataset:
    new = NewBusiness("g", "b", "B", datasets={"catalog": "d"}, format="zip")
    _, made = Register(metadata, clock, "csv").create_business(account, new)
    return next(each for each in made if each.id == "d")


@pytest.fixture
def dataset(metadata: MetadataStore, clock: MovableClock, account: Account) -> Dataset:
    return dataset_of(metadata, clock, account)


def add(metadata: MetadataStore, dataset: Dataset, file_id: str, seconds: int = 0) -> None:
    values = {"dataset_id": dataset.row_id, "file_id": file_id, "name": f"{file_id}.zip", "rows": 1, "bytes": 2}
    values |= {"sha256": "0" * 64, "report_date_begin": "2026-11-01", "report_date_end": "2026-11-02"}
    with metadata.begin() as connection:
        connection.execute(insert(dataset_files).values(values | {"published_at": NOW_US + seconds * SECOND}))


def listed(files: DatasetFiles, dataset: Dataset, part: Slice = ALL, begin: int = -100, end: int = 100) -> list[str]:
    return [each.id for each in files.page(dataset, NOW_US + begin * SECOND, NOW_US + end * SECOND, part).items]


def test_the_order_and_the_bounds(
    metadata: MetadataStore, clock: MovableClock, files: DatasetFiles, dataset: Dataset
) -> None:
    for file_id, seconds in (("c", -3), ("b", -1), ("a", -1), ("coming", 1), ("old", -101)):
        add(metadata, dataset, file_id, seconds)
    assert listed(files, dataset) == ["c", "a", "b"]
    assert listed(files, dataset, Slice(1, 1)) == ["a"]
    assert listed(files, dataset, begin=-1, end=-1) == ["a", "b"]
    assert listed(files, dataset, begin=0, end=-1) == []
    clock.advance(1)
    assert listed(files, dataset)[-1] == "coming"


def test_a_page_is_read_in_its_order_from_an_index(
    metadata: MetadataStore, files: DatasetFiles, dataset: Dataset
) -> None:
    if metadata.dialect != "sqlite":
        pytest.skip("PostgreSQL reads so small a table whole")
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(metadata._readers, "before_cursor_execute", note)
    listed(files, dataset, Slice(0, 10))
    event.remove(metadata._readers, "before_cursor_execute", note)
    with metadata.read() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {each}", args).all() for each, args in asked]
    steps = [row.detail for plan in plans for row in plan if "dataset_files" in row.detail or "TEMP" in row.detail]
    assert len(steps) == 2
    assert all("ix_dataset_files_dataset_id_published_at_file_id_deleted_at" in step for step in steps)


def test_an_id_that_two_accounts_have_is_found_in_the_permitted_dataset(
    metadata: MetadataStore,
    clock: MovableClock,
    files: DatasetFiles,
    dataset: Dataset,
    account: Account,
    other_account: Account,
) -> None:
    other = dataset_of(metadata, clock, other_account)
    for each, owner in ((dataset, account), (other, other_account)):
        add(metadata, each, "same")
        [file] = files.page(each, NOW_US, NOW_US, ALL).items
        found, served = files.find("same", each.row_id.__eq__)
        assert found == file
        assert served.stored == f"datasets/{owner.slug}/{each.row_id}/same"
        assert (served.name, served.size, served.media_type) == ("same.zip", 2, "application/zip")


def test_files_that_are_not_found(metadata: MetadataStore, files: DatasetFiles, dataset: Dataset) -> None:
    add(metadata, dataset, "a")
    [file] = files.page(dataset, NOW_US, NOW_US, ALL).items
    assert files.find("a", dataset.row_id.__eq__)[0] == file
    with pytest.raises(Forbidden):
        files.find("a", lambda _: False)
    for name in ("b", "", "a\0"):
        with pytest.raises(NotFound):
            files.find(name, lambda _: True)
    with metadata.begin() as connection:
        connection.execute(update(dataset_files).values(deleted_at=NOW_US))
    assert listed(files, dataset) == []
    with pytest.raises(NotFound):
        files.find("a", lambda _: True)
