"""SQL that reads files of an earlier schema as today's declaration has them; see `streams.evolution`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlglot import exp

from airtally.streams.declaration import Kind, Stream, Type
from airtally.streams.evolution import former_types, stored_name

_SQL_TYPES = {
    Type.INT64: "bigint",
    Type.DOUBLE: "double",
    Type.TEXT: "text",
    Type.TIME: "timestamptz",
    Type.LOCAL_TIME: "timestamptz",
    Type.DECIMAL: "decimal(18,6)",
    Type.JSON: "text",
}


def read_as(stream: Stream, name: str, stored: Collection[str] | None) -> exp.Expr:
    """A column of files that have the columns `stored`, or just the declared ones; named as declared.

    An empty text that earlier releases took for an event's identity is none (`Stream.empty_is_null`).
    """
    if name in stream.by_name and stream.kind is Kind.EVENT and stream.empty_is_null(name):
        return exp.alias_(
            exp.Nullif(this=_stored(stream, name, stored), expression=exp.Literal.string("")), name, quoted=True
        )
    if stored is None or (name in stored and not _default(stream, name)):
        return _column(name)
    found = stored_name(stream, name, stored)
    value = _value(stream, name, found)
    return exp.alias_(value, name, quoted=True)


def written_as(stream: Stream, name: str, stored: Collection[str] | None) -> str:
    """`read_as` in DuckDB's words."""
    return read_as(stream, name, stored).sql("duckdb")


def _stored(stream: Stream, name: str, stored: Collection[str] | None) -> exp.Expr:
    return _column(name) if stored is None else _value(stream, name, stored_name(stream, name, stored))


def _value(stream: Stream, name: str, found: str | None) -> exp.Expr:
    default = _default(stream, name)
    kind = _SQL_TYPES[stream.column(name).type] if name in stream.by_name else "text"
    if found is None:
        return exp.cast(exp.null() if default is None else exp.convert(default), kind)
    value: exp.Expr = _column(found)
    if found in former_types(stream) and found != name:
        value = _exactly(value, kind, _SQL_TYPES[former_types(stream)[found]])
    return value if default is None else exp.func("coalesce", value, exp.cast(exp.convert(default), kind))


def _exactly(value: exp.Expr, kind: str, former: str) -> exp.Expr:
    """The value in the new type; null where that type cannot hold it exactly."""
    cast = _try_cast(value, kind)
    return exp.Case().when(_try_cast(cast, former).eq(value.copy()), cast.copy())


def _try_cast(value: exp.Expr, kind: str) -> exp.Expr:
    return exp.TryCast(this=value.copy(), to=exp.DataType.build(kind), safe=True)


def _default(stream: Stream, name: str) -> Any:
    return stream.by_name[name].default if name in stream.by_name else None


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))
