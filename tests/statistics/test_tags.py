"""The file of a tag's values; the counts themselves are in tests/query/test_holders.py."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from airtally.accounts.accounts import Account
from airtally.accounts.declared import ValueType
from airtally.engine.protocol import Engine
from airtally.files.store import FileStore
from airtally.query.service import Queries
from airtally.statistics.asked import TagStatistics
from airtally.statistics.tags import count_tags
from fixtures.device_tags import TaggedDevices

ACCOUNT = Account(1, "acme", "Acme")


def asked(kind: ValueType = ValueType.STRING, *, shared: bool = False) -> TagStatistics:
    return TagStatistics("T", kind, shared, ("B", "A"))


@pytest.fixture
def tagged(tmp_path: Path) -> TaggedDevices:
    source = TaggedDevices(tmp_path)
    for application, hwid in (("A", "1"), ("A", "2"), ("B", "3")):
        source.device(application, hwid)
    return source


def counted(
    engine: Engine, source: TaggedDevices, folder: Path, wanted: TagStatistics
) -> tuple[str, dict[str, object]]:
    """The file and the result."""
    files = FileStore.open(str(folder / "files"))
    result, through = count_tags(Queries(engine, source), ACCOUNT, wanted, files, "statistics/x.csv")
    assert through == 17
    return b"".join(files.read("statistics/x.csv")).decode(), json.loads(result)


def test_the_result_measures_the_file(duckdb_engine: Engine, tagged: TaggedDevices, tmp_path: Path) -> None:
    for application, hwid in (("A", "1"), ("A", "2"), ("B", "3")):
        tagged.tag(application, hwid, "é")
    text, result = counted(duckdb_engine, tagged, tmp_path, asked())
    assert text.splitlines() == ["B;é;1", "A;é;2"]
    data = text.encode()
    assert result == {"rows": 2, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_where_no_device_has_the_tag_there_is_a_file_all_the_same(
    duckdb_engine: Engine, tagged: TaggedDevices, tmp_path: Path
) -> None:
    text, result = counted(duckdb_engine, tagged, tmp_path, asked())
    assert (text, result["rows"], result["bytes"]) == ("", 0, 0)


def test_each_element_of_a_list_counts(duckdb_engine: Engine, tagged: TaggedDevices, tmp_path: Path) -> None:
    tagged.tag("A", "1", ["x", "y"])
    tagged.tag("A", "2", ["y"])
    text, _ = counted(duckdb_engine, tagged, tmp_path, asked(ValueType.LIST))
    assert sorted(text.splitlines()) == ["A;x;1", "A;y;2"]


def test_a_price_has_two_places(duckdb_engine: Engine, tagged: TaggedDevices, tmp_path: Path) -> None:
    tagged.tag("A", "1", 12.5)
    assert counted(duckdb_engine, tagged, tmp_path, asked(ValueType.PRICE))[0].splitlines() == ["A;12.50;1"]


def test_a_shared_tag_counts_in_every_application_of_its_device(
    duckdb_engine: Engine, tagged: TaggedDevices, tmp_path: Path
) -> None:
    tagged.device("B", "1")
    tagged.tag(None, "1", "x")
    assert counted(duckdb_engine, tagged, tmp_path, asked(shared=True))[0].splitlines() == ["B;x;1", "A;x;1"]
    assert counted(duckdb_engine, tagged, tmp_path, asked())[0] == ""
