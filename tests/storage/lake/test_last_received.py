"""Which row of a key counts: the engine and rows in memory choose the same."""

from __future__ import annotations

import itertools

import duckdb
import pyarrow as pa
import pytest
from sqlglot import exp

from airtally.storage.lake.last_received import last_received, order_of

NAMES = ("key", "version", "received_at", "writer_id", "sequence")
ROWS = [
    dict(zip(NAMES, values, strict=True)) for values in itertools.product("ab", (1, 2), (1, 2), ("w1", "w2"), (1, 2))
]


def chosen(rows, first_by=()):
    columns = [exp.column(name) for name in NAMES]
    tree = last_received(exp.select("*").from_("received"), [exp.column("key")], columns, first_by=first_by)
    with duckdb.connect() as connection:
        connection.register("received", pa.Table.from_pylist(rows))
        return connection.execute(tree.sql("duckdb")).to_arrow_table().to_pylist()


@pytest.mark.parametrize("first_by", [(), ("version",)], ids=["events", "versions"])
def test_the_engine_takes_the_greatest_by_the_order_of_rows_in_memory(first_by):
    """Of any two rows of one key that differ in what the order is made of."""
    for pair in itertools.combinations([row for row in ROWS if row["key"] == "a"], 2):
        low, high = sorted(pair, key=lambda row: order_of(row, first_by=first_by))
        if order_of(low, first_by=first_by) < order_of(high, first_by=first_by):
            assert chosen([high, low], first_by) == [high]


def test_the_time_of_receipt_comes_before_the_writer_and_the_sequence():
    early = {"key": "a", "version": 2, "received_at": 1, "writer_id": "w2", "sequence": 2}
    late = {"key": "a", "version": 1, "received_at": 2, "writer_id": "w1", "sequence": 1}
    assert chosen([early, late]) == [late]
    assert chosen([early, late], ("version",)) == [early]


def test_a_row_without_the_time_counts_least():
    without = {"key": "a", "version": None, "received_at": 9, "writer_id": "w2", "sequence": 2}
    dated = without | {"version": 1, "received_at": 1}
    assert chosen([without, dated], ("version",)) == [dated]


def test_each_key_has_one_row():
    assert sorted(row["key"] for row in chosen(ROWS)) == ["a", "b"]
