"""Reads rows stored under an earlier schema of a stream as its current declaration has them.

Adding a column needs only its declaration: rows stored before read its default. Every other change of the stored
columns is a step in the stream's `steps`, or in `SERVER_STEPS` for the columns that the server adds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from airtally.kit.errors import NewerHome

if TYPE_CHECKING:
    from airtally.streams.declaration import Stream, Type


@dataclass(frozen=True, slots=True)
class Renamed:
    """Column `former` is now called `name`. `type` is its former type, if that was another.

    A value that the new type cannot hold exactly is read as the column's default.
    """

    former: str
    name: str
    type: Type | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """Column `name` was removed; its stored values are no longer read."""

    name: str


Step: TypeAlias = Renamed | Removed

#: Changes of the columns that the server adds to the rows of every stream. 0.1.0 called the writer `machine`.
SERVER_STEPS: tuple[Step, ...] = (Renamed("machine", "writer_id"),)
#: Stored in a home, so that a program that does not know the columns stops (`database/home.py`).
SERVER_COLUMNS_VERSION = 1 + len(SERVER_STEPS)


def steps_of(stream: Stream) -> tuple[Step, ...]:
    """All changes of a stream's stored columns, the earliest first."""
    return (*SERVER_STEPS, *stream.steps)


def former_names(stream: Stream, name: str) -> tuple[str, ...]:
    """The former names of a column, the latest first; a column renamed twice has two."""
    found: list[str] = []
    for step in reversed(steps_of(stream)):
        if isinstance(step, Renamed) and step.name == (found[-1] if found else name):
            found.append(step.former)
    return tuple(found)


def stored_name(stream: Stream, name: str, stored: Collection[str]) -> str | None:
    """The name that rows with the columns `stored` have for a column; None if they do not have the column."""
    return next((each for each in (name, *former_names(stream, name)) if each in stored), None)


def unknown_columns(stream: Stream, stored: Collection[str]) -> set[str]:
    """The columns in `stored` that no version of the declaration up to this program's has had."""
    known = {*stream.stored_schema.names, "day"}
    known |= {step.former if isinstance(step, Renamed) else step.name for step in steps_of(stream)}
    return set(stored) - known


def refuse_unknown(stream: Stream, stored: Collection[str]) -> None:
    """Raises NewerHome where rows have columns that this program does not know."""
    if unknown := unknown_columns(stream, stored):
        names = ", ".join(sorted(unknown))
        raise NewerHome(
            f"Rows of stream {stream.name} were written by a newer Airtally: this version has no column {names}"
        )


def as_declared(stream: Stream, rows: pa.Table) -> pa.Table:
    """Rows of an earlier schema with the columns of `stream.row_schema`; the server's own stay as they are.

    Raises NewerHome for rows that a newer program wrote.
    """
    refuse_unknown(stream, rows.column_names)
    own = stream.row_schema
    if all(name in rows.column_names for name in own.names):
        return rows
    columns: dict[str, Any] = {name: rows.column(name) for name in rows.column_names if name == "account"}
    columns |= {field.name: _column(stream, field, rows) for field in own}
    former = _all_former(stream)
    rest = [name for name in rows.column_names if name not in columns and name not in former]
    return pa.table(columns | {name: rows.column(name) for name in rest})


def _column(stream: Stream, field: pa.Field, rows: pa.Table) -> pa.ChunkedArray | pa.Array:
    default = pa.scalar(stream.column(field.name).default, field.type)
    found = stored_name(stream, field.name, rows.column_names)
    if found is None:
        return pa.repeat(default, rows.num_rows)
    values = rows.column(found)
    if values.type == field.type:
        return values.fill_null(default) if default.is_valid else values
    return pa.array([_exactly(value, field.type, default) for value in values], field.type)


def _exactly(value: pa.Scalar, kind: pa.DataType, default: pa.Scalar) -> pa.Scalar:
    """A value in the new type, or the default if the new type cannot hold it exactly."""
    if not value.is_valid:
        return default
    try:
        cast = value.cast(kind)
        return cast if cast.cast(value.type) == value else default
    except pa.ArrowInvalid:
        return default


def _all_former(stream: Stream) -> set[str]:
    return {step.former if isinstance(step, Renamed) else step.name for step in steps_of(stream)}


def former_fields(stream: Stream) -> Mapping[str, pa.Field]:
    """Columns that were renamed, under their former names with their former types."""
    fields: dict[str, pa.Field] = {}
    for step in steps_of(stream):
        if isinstance(step, Renamed):
            now = _now(stream, step)
            if step.type is not None:
                fields[step.former] = pa.field(step.former, step.type.arrow)
            elif now in stream.stored_schema.names:
                fields[step.former] = stream.stored_schema.field(now).with_name(step.former)
    return fields


def _now(stream: Stream, step: Renamed) -> str:
    """The current name of a renamed column."""
    name = step.name
    steps = steps_of(stream)
    for later in steps[steps.index(step) + 1 :]:
        if isinstance(later, Renamed) and later.former == name:
            name = later.name
    return name


def former_types(stream: Stream) -> Mapping[str, Type]:
    """The former types of columns that were renamed because their type changed, by former name."""
    return {step.former: step.type for step in steps_of(stream) if isinstance(step, Renamed) and step.type is not None}
