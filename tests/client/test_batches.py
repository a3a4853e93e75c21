"""How rows are cut into batches: all, in order, within the bounds, at the same rows each time."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.client.batches import BatchSize, JsonBatcher
from airtally.client.tables import TableBatcher

SIZES = st.builds(BatchSize, rows=st.integers(1, 12), bytes=st.integers(1, 400))
ROWS = st.lists(st.fixed_dictionaries({"n": st.integers(0, 9), "t": st.text(max_size=60)}), max_size=60)


def cut(batcher, pieces):
    found = [batch for piece in pieces for batch in batcher.feed(piece)]
    return [*found, *batcher.finish()]


@given(ROWS, SIZES, st.integers(1, 20))
def test_json_batches(rows, size, step):
    batches = cut(JsonBatcher(size), [rows])
    assert [json.loads(line) for batch in batches for line in batch.body.splitlines()] == rows
    first = 0
    for number, batch in enumerate(batches):
        assert (batch.number, batch.first, batch.rows) == (number, first, batch.body.count(b"\n"))
        assert 1 <= batch.rows <= size.rows
        assert batch.rows == 1 or len(batch.body) <= size.bytes
        first += batch.rows
    fed = [rows[begin : begin + step] for begin in range(0, len(rows), step)]
    assert cut(JsonBatcher(size), fed) == batches, "however many are fed at once"


@given(ROWS, SIZES, st.integers(1, 20))
def test_batches_of_tables(rows, size, step):
    schema = pa.schema({"n": pa.int64(), "t": pa.string()})
    table = pa.Table.from_pylist(rows, schema=schema)
    batches = cut(TableBatcher(size), [table.to_reader(max_chunksize=step)])
    read = [pa.ipc.open_stream(batch.body).read_all() for batch in batches]
    assert [row for each in read for row in each.to_pylist()] == rows
    assert [batch.rows for batch in batches] == [each.num_rows for each in read]
    assert [batch.first for batch in batches] == [sum(b.rows for b in batches[:at]) for at in range(len(batches))]
    assert all(1 <= batch.rows <= size.rows for batch in batches)
    assert cut(TableBatcher(size), [table.to_reader(max_chunksize=step)]) == batches


def test_batches_of_tables_keep_to_their_bytes():
    table = pa.table({"t": ["x" * 1000] * 10_000})
    batches = cut(TableBatcher(BatchSize(bytes=1 << 20)), [table])
    assert len(batches) == 10
    assert max(len(batch.body) for batch in batches) < 1.1 * (1 << 20)


def test_tables_of_several_schemas():
    pieces = [pa.table({"a": [1]}), pa.table({"a": [2]}), pa.table({"b": ["x"]})]
    assert [batch.rows for batch in cut(TableBatcher(BatchSize()), pieces)] == [2, 1]


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"bytes": 0}])
def test_sizes_that_hold_nothing(wrong):
    with pytest.raises(ValueError, match="at least one row"):
        BatchSize(**wrong)
