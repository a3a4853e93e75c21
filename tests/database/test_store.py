from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from airtally.database import migrate
from airtally.database.store import MetadataStore
from airtally.database.tables import owners, rate_limits
from airtally.kit.errors import StorageFull, Unavailable
from airtally.kit.faults import Faults
from airtally.settings import SettingError


def put(store: MetadataStore, key: str) -> None:
    with store.begin() as connection:
        connection.execute(insert(rate_limits).values(key=key, last_call_at=1, allowed=True))


def keys(store: MetadataStore) -> list[str]:
    with store.read() as connection:
        return list(connection.execute(select(rate_limits.c.key).order_by(rate_limits.c.key)).scalars())


def test_a_transaction_is_kept_wholly_or_not_at_all(metadata: MetadataStore) -> None:
    put(metadata, "a")
    row = insert(rate_limits).values(key="b", last_call_at=1, allowed=True)
    with pytest.raises(IntegrityError), metadata.begin() as connection:  # noqa: PT012 (the second is refused)
        connection.execute(row)
        connection.execute(row)
    assert keys(metadata) == ["a"]


def test_rows_are_there_after_opening_again(metadata: MetadataStore, database_url: str) -> None:
    put(metadata, "a")
    again = MetadataStore.open(database_url)
    assert keys(again) == ["a"]
    again.close()


def test_a_reader_cannot_write(metadata: MetadataStore) -> None:
    with pytest.raises(DBAPIError, match=r"(?i)read.?only"), metadata.read() as connection:
        connection.execute(insert(rate_limits).values(key="a", last_call_at=1, allowed=True))
    assert keys(metadata) == []
    put(metadata, "b")
    assert keys(metadata) == ["b"]


def test_a_reader_does_not_wait_for_a_writer(metadata: MetadataStore) -> None:
    put(metadata, "a")
    with metadata.begin() as connection:
        connection.execute(insert(rate_limits).values(key="b", last_call_at=1, allowed=True))
        assert keys(metadata) == ["a"]
    assert keys(metadata) == ["a", "b"]


def test_references_are_checked(metadata: MetadataStore) -> None:
    with pytest.raises(IntegrityError), metadata.begin() as connection:
        connection.execute(insert(owners).values(kind="cdn", external_id="1", account_id=99))


def test_many_threads_write(metadata: MetadataStore) -> None:
    threads = [
        threading.Thread(target=lambda n=n: [put(metadata, f"{n}/{i}") for i in range(10)])  # type: ignore[misc]
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys(metadata)) == 80


def test_sqlite_is_durable(sqlite_url: str) -> None:
    store = MetadataStore.open(sqlite_url)
    with store.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    store.close()


def test_a_full_disk_has_its_failure_and_leaves_the_store_whole(sqlite_url: str) -> None:
    store = MetadataStore.open(sqlite_url)
    with store.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StorageFull):
        put(store, "x" * 100_000)
    with store.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=100000")
    put(store, "y" * 100_000)
    assert len(keys(store)) == 1
    store.close()


@pytest.mark.parametrize("failing", ["metadata.write", "metadata.read"])
def test_faults_reach_writes_and_reads(sqlite_url: str, failing: str) -> None:
    class Failing(Faults):
        def reach(self, point: str) -> None:
            if point == failing:
                raise StorageFull("no room")

    store = MetadataStore.open(sqlite_url, faults=Failing())
    ways = {"metadata.write": lambda: put(store, "a"), "metadata.read": lambda: keys(store)}
    with pytest.raises(StorageFull):
        ways.pop(failing)()
    [works] = ways.values()
    works()
    store.close()


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://", "sqlite:///:memory:", "no url at all"])
def test_a_url_that_cannot_be_used_names_its_setting(url: str) -> None:
    with pytest.raises(SettingError, match="AIRTALLY_DATABASE"):
        MetadataStore.open(url)


def test_no_answer_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        MetadataStore.open(f"postgresql://nobody@/nothing?host={tmp_path}")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'metadata.sqlite'}"
    return str(request.getfixturevalue("empty_postgres_url"))


def test_processes_that_start_together_make_the_tables_once(empty_url: str) -> None:
    stores: list[MetadataStore] = []
    threads = [threading.Thread(target=lambda: stores.append(MetadataStore.open(empty_url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == 4
    with stores[0].read() as connection:
        assert migrate.current(connection) == migrate.HEAD
    for store in stores:
        store.close()
