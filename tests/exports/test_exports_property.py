"""Any rows, in any batches, flushes and compactions: the parts together hold what a naive reader of the rows finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from airtally.accounts.accounts import Accounts
from airtally.engine.child_process import InProcess
from airtally.exports.lanes import PartLimits
from airtally.exports.spec import AskedRows, Compression, ExportFormat, ExportSpec
from airtally.query.changelog import VERSION_TIME
from airtally.storage.lake.compaction import EAGER, Compactor
from airtally.streams import STREAMS
from airtally.streams.declaration import Column, Kind, Stream, Type
from fixtures.exports import ExportHome, parquet_schema

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
#: What CSV and JSON quote or escape, and what readers take for something else.
_TEXTS = ["a", "b", ",", '"', '""', "\r\n", "\n", " x ", "\\", "\x01\t", "ü☃𝄞", "null", "NaN", "1", "2026-01-01", ""]
_JSON = [{}, {"a": 1}, {"a": 'x,"\n', "b": [1, "é"]}, {"n": None, "t": True, "f": 1.5}]
_VALUES: dict[Type, st.SearchStrategy[Any]] = {
    Type.TEXT: st.sampled_from(_TEXTS) | st.text(max_size=8).filter(lambda text: "\0" not in text),
    Type.INT64: st.sampled_from([0, 1, -(2**63) + 1, 2**63 - 1]) | st.integers(-9, 9),
    Type.DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    Type.DECIMAL: st.decimals(-(10**11), 10**11, places=6) | st.sampled_from([Decimal(0), Decimal("-0.000001")]),
    Type.TIME: st.integers(0, 10**11).map(lambda us: NOON + timedelta(microseconds=us)),
    Type.JSON: st.sampled_from(
        [json.dumps(each, separators=(",", ":"), sort_keys=True, ensure_ascii=False) for each in _JSON]
    ),
}
_VALUES[Type.LOCAL_TIME] = _VALUES[Type.TIME]
_NAMES = ("playlogs", "ad_events", "app_events", "viewer_samples", "players", "device_tags", "subscriptions")


@dataclass(frozen=True)
class Case:
    """Batches of rows in the order of arrival, whether each is flushed, and what is asked of them."""

    stream: Stream
    batches: list[list[dict[str, Any]]]
    flushed: list[bool]
    compacted: bool
    asked: AskedRows
    limits: PartLimits
    lanes: int


def cell(column: Column, *, few: bool) -> st.SearchStrategy[Any]:
    """`few`: of few values, so that rows repeat."""
    if few:
        times = st.sampled_from([NOON + timedelta(hours=hours) for hours in (0, 5, 30)])
        values = {Type.TEXT: st.sampled_from(["k", "l"]), Type.INT64: st.sampled_from([1, 2])}
        found = values.get(column.type, times)
    else:
        found = st.sampled_from(column.choices) if column.choices else _VALUES[column.type]
    return found if column.required or column.name in {VERSION_TIME, "is_deleted"} else found | st.none()


@st.composite
def cases(draw: st.DrawFn) -> Case:
    stream = STREAMS[draw(st.sampled_from(_NAMES))]
    named = {stream.time, VERSION_TIME, *stream.identity, *stream.key}
    row = st.fixed_dictionaries({each.name: cell(each, few=each.name in named) for each in stream.columns})
    if stream.kind is Kind.CHANGELOG:
        row = row.map(lambda each: each | {"is_deleted": 1 if each["is_deleted"] == 1 else 0})
    batches = draw(st.lists(st.lists(row, min_size=1, max_size=6), max_size=4))
    changelog = stream.kind is Kind.CHANGELOG
    versions = changelog and draw(st.booleans())
    names = st.lists(st.sampled_from(stream.row_schema.names), min_size=1, unique=True)
    asked = AskedRows(
        stream.name,
        columns=draw(st.none() | names),
        start=draw(st.none() | st.just("2026-10-01T15:00:00" + ("" if stream.name == "playlogs" else "Z"))),
        versions=versions,
        deleted=changelog and not versions and draw(st.booleans()),
    )
    return Case(
        stream,
        batches,
        draw(st.lists(st.booleans(), min_size=len(batches), max_size=len(batches))),
        draw(st.booleans()),
        asked,
        PartLimits(draw(st.sampled_from([2, 7, 1000])), 1 << 30),
        draw(st.sampled_from([1, 3])),
    )


def naive(case: Case) -> list[dict[str, Any]]:
    """The rows by plain Python: events each once, as last received; records by their greatest version."""
    rows = [row for batch in case.batches for row in batch]
    stream, kept = case.stream, dict[Any, dict[str, Any]]()
    for number, row in enumerate(rows):
        place = _place(case, row, number)
        before = kept.get(place)
        if before is None or stream.kind is Kind.EVENT or row[VERSION_TIME] >= before[VERSION_TIME]:
            kept[place] = row
    time = stream.time if stream.kind is Kind.EVENT else VERSION_TIME
    found = [row for row in kept.values() if case.asked.start is None or row[time] >= NOON + timedelta(hours=3)]
    if stream.kind is Kind.CHANGELOG and not case.asked.versions and not case.asked.deleted:
        found = [row for row in found if not row["is_deleted"]]
    return found


def _place(case: Case, row: dict[str, Any], number: int) -> Any:
    """Rows of one place replace one another."""
    stream = case.stream
    if stream.kind is Kind.EVENT:
        identity = [row[name] for name in stream.identity]
        return number if None in identity or not identity else (*identity, row[stream.time].date())
    key = [row[name].lower() if stream.by_name[name].fold_case and row[name] else row[name] for name in stream.key]
    return (*key, row[VERSION_TIME] if case.asked.versions else None)


def shown(rows: Sequence[dict[str, Any]], names: Sequence[str], *, alone: bool = False) -> list[str]:
    """Rows to be compared, in any order. `alone`: of a CSV of one column, in which a null is as an empty text."""
    return sorted(
        repr([None if alone and row[name] == "" else _comparable(row[name]) for name in names]) for row in rows
    )


def _comparable(value: Any) -> Any:
    """A decimal is its number: how many noughts it is written with, and the sign of zero, depend on the format."""
    if isinstance(value, Decimal):
        return f"{value + 0:.6f}"
    return value.replace(tzinfo=None).isoformat() if isinstance(value, datetime) else value


@settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink]
)
@given(case=cases(), data=st.data())
def test_the_parts_hold_what_a_naive_reader_finds(tmp_path_factory, metadata, clock, case: Case, data) -> None:
    account = Accounts(metadata, clock).create("A", f"a{len(Accounts(metadata, clock).all())}")
    home = ExportHome(
        tmp_path_factory.mktemp("case"),
        metadata,
        clock,
        account,
        part_limits=case.limits,
        lanes=case.lanes,
        unit_rows=3,
        in_process_rows=4,
    )
    try:
        for batch, flushed in zip(case.batches, case.flushed, strict=True):
            home.send(case.stream.name, batch)
            if flushed:
                home.flush()
        if case.compacted:
            Compactor(home.store.lake.table(case.stream), InProcess()).run(EAGER)
        names = tuple(case.asked.columns or case.stream.row_schema.names)
        for form in ExportFormat:
            packing = data.draw(st.sampled_from([None, *Compression]))
            export = home.made(ExportSpec(rows=case.asked, format=form, compression=packing))
            tables = home.tables(export, parquet_schema(case.stream, names))
            rows, alone = [row for table in tables for row in table.to_pylist()], form == "csv" and len(names) == 1
            assert shown(rows, names, alone=alone) == shown(naive(case), names, alone=alone)
            assert all(table.num_rows <= case.limits.rows for table in tables)
    finally:
        home.close()
