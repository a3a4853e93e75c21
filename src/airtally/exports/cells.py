"""Rows as lines of CSV or JSON, written by the engine: its string buffers are the bytes of the files."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlglot import exp

from airtally.exports.spec import ExportFormat
from airtally.query.jsonline import escaped
from airtally.sql.compiler import column, micros
from airtally.sql.csv_cell import csv_cell
from airtally.streams.declaration import Stream, Type

LINE = "line"
_EMPTY, _NULL, _QUOTE = exp.Literal.string(""), exp.Literal.string("null"), '"'


def line_of(stream: Stream, columns: Sequence[str], form: ExportFormat) -> exp.Expr:
    """A row as one line with its line feed. Names and cells are as answers of `/api/v1/sql` have them in text formats."""
    cells = [(name, stream.by_name[name].type) for name in columns]
    if form is ExportFormat.CSV:
        alone = len(cells) == 1
        pieces = [piece for name, kind in cells for piece in (_text(","), _csv_cell(name, kind, alone=alone))][1:]
        return _joined([*pieces, exp.Chr(expressions=[exp.Literal.number(10)])])
    pieces = []
    for number, (name, kind) in enumerate(cells):
        key = json.dumps(name, ensure_ascii=False)
        pieces += [_text(f"{'{,'[number > 0]}{key}:"), _json_value(name, kind)]
    return _joined([*pieces, _text("}"), exp.Chr(expressions=[exp.Literal.number(10)])])


def header_of(columns: Sequence[str], form: ExportFormat) -> bytes:
    """The first line of a file: the names in CSV, nothing in NDJSON. No name of a stream's column needs quotes."""
    return ",".join(columns).encode() + b"\n" if form is ExportFormat.CSV else b""


def _csv_cell(name: str, kind: Type, *, alone: bool) -> exp.Expr:
    """A null is empty, an empty text is `""`. Readers skip empty lines: the null of a single column is `""` too."""
    null = _text('""') if alone else _EMPTY
    if kind not in {Type.TEXT, Type.JSON}:
        return exp.func("coalesce", _plain_text(name, kind), null.copy())
    quoted = csv_cell(column(name), ",", _special)
    case = exp.Case().when(column(name).is_(exp.null()), null.copy())
    return case.when(column(name).eq(_EMPTY.copy()), _text('""')).else_(quoted)


def _json_value(name: str, kind: Type) -> exp.Expr:
    if kind is Type.TEXT:
        value = _joined([_text(_QUOTE), escaped(column(name)), _text(_QUOTE)])
    elif kind in {Type.TIME, Type.LOCAL_TIME, Type.DECIMAL}:
        value = _joined([_text(_QUOTE), _plain_text(name, kind), _text(_QUOTE)])
    else:
        value = _plain_text(name, kind)
    return exp.Case().when(column(name).is_(exp.null()), _NULL.copy()).else_(value)


def _plain_text(name: str, kind: Type) -> exp.Expr:
    """A time in RFC 3339, by UTC or, where it is a local one, without a zone; a null stays null."""
    if kind not in {Type.TIME, Type.LOCAL_TIME}:
        return exp.cast(column(name), "text")
    moment = exp.Anonymous(this="MAKE_TIMESTAMP", expressions=[micros(name)])
    day, clock = exp.cast(exp.cast(moment, "date"), "text"), exp.cast(exp.cast(moment.copy(), "time"), "text")
    zone = [] if kind is Type.LOCAL_TIME else [_text("Z")]
    known = exp.not_(column(name).is_(exp.null()))
    return exp.Case().when(known, _joined([day, _text("T"), clock, *zone]))


def _joined(pieces: Sequence[exp.Expr]) -> exp.Expr:
    return exp.Anonymous(this="CONCAT", expressions=list(pieces))  # not `||`, which is slower and null with a null


def _text(text: str) -> exp.Expr:
    return exp.Literal.string(text)


def _special(text: str) -> exp.Expr:
    return exp.Chr(expressions=[exp.Literal.number(ord(text))]) if text in {"\r", "\n"} else exp.Literal.string(text)
