from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pyarrow as pa
import pytest
from sqlglot import exp

from airtally.engine.protocol import Engine
from airtally.sql.compiler import Binder, column
from airtally.sql.csv_cell import csv_cell
from airtally.sql.statement import Statement
from airtally.streams import DEVICES

TEXTS = ["", "plain", 'a"b', '"', "a,b", "a;b", "a\nb", "a\rb", "a\r\nb", '","', " ação ☂ ", "\\n", "'"]


def _literal(text: str) -> exp.Expr:
    return exp.Chr(expressions=[exp.Literal.number(ord(text))]) if text in {"\r", "\n"} else exp.Literal.string(text)


def _cells(engine: Engine, separator: str, value: Callable[[str], exp.Expr] | None) -> list[str | None]:
    binder = Binder(DEVICES)
    cell = csv_cell(column("x"), separator, value or binder.value)
    source = binder.relation(pa.table({"x": pa.array([*TEXTS, None], pa.string())}), "r")
    statement = binder.statement(exp.select(column("x"), exp.alias_(cell, "cell", quoted=True)).from_(source))
    assert isinstance(statement, Statement)
    answer = engine.query(statement)
    found = dict(zip(answer["x"].to_pylist(), answer["cell"].to_pylist(), strict=True))
    return [found[each] for each in [*TEXTS, None]]


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("value", [None, _literal], ids=["bound", "literal"])
def test_cells_are_those_of_pythons_writer(engine: Engine, separator: str, value: Callable[[str], exp.Expr]) -> None:
    *cells, null = _cells(engine, separator, value)
    assert null is None
    for text, cell in zip(TEXTS, cells, strict=True):
        written = io.StringIO()
        csv.writer(written, delimiter=separator, lineterminator="\r\n").writerow(["x", text])
        assert f"x{separator}{cell}\r\n" == written.getvalue()
