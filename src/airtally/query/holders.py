"""The number of devices with each value of a tag: one statement counts, sorts and renders lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from airtally.query.changelog import Records, current_records
from airtally.query.lines import RenderedLines, bytes_of
from airtally.query.service import Queries
from airtally.sql.compiler import Binder, column
from airtally.sql.csv_cell import csv_cell
from airtally.sql.filters import EVERYTHING, AllOf, Equals, Filter, IsNull, Not, OneOf
from airtally.sql.members import member_text, member_texts
from airtally.sql.numbers import cents_text
from airtally.sql.statement import Statement
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams import DEVICE_TAGS, DEVICES

DELETED = Equals("is_deleted", 1)
_SEPARATOR = ";"


@dataclass(frozen=True, slots=True)
class Holders:
    """A question for the devices with each value of `tag`, by application in the order of `applications`.

    A `shared` tag has one value for a device in all of them. With `listed` the values are lists, each element of which
    counts; with `decimal` they are written with two places.
    """

    account: str
    tag: str
    applications: tuple[str, ...]
    shared: bool = False
    listed: bool = False
    decimal: bool = False


def holder_lines(queries: Queries, wanted: Holders) -> tuple[Iterator[RenderedLines], int]:
    """Lines `application;value;devices`, and the moment through which they are complete (microseconds UTC).

    In order of the applications, then the highest number first, then by the value's UTF-8 bytes. Raises what
    the engine raises, also from the iterator.
    """
    tags = queries.snapshot(DEVICE_TAGS, wanted.account)
    devices = queries.snapshot(DEVICES, wanted.account)
    statement = render_holders(wanted, tags, devices)

    def lines() -> Iterator[RenderedLines]:
        for batch in queries.engine.stream(statement):
            if batch.num_rows:
                yield RenderedLines(bytes_of(batch.column(0)), batch.num_rows)

    return lines(), min(tags.data_through_us, devices.data_through_us)


def render_holders(wanted: Holders, tags: Snapshot, devices: Snapshot) -> Statement:
    """One text column of lines, in order."""
    binder = Binder(DEVICE_TAGS)
    held = _shared(binder, wanted, tags, devices) if wanted.shared else _specific(binder, wanted, tags, devices)
    groups = ("position", "application", "value")
    counted = exp.select(*map(column, groups), exp.Count(this=exp.Literal.number(1)).as_("devices", quoted=True))
    counted = counted.from_(_valued(wanted, held).subquery("valued"))
    counted = counted.where(exp.not_(column("value").is_(exp.null()))).group_by(*map(column, groups))
    texts = (csv_cell(column(name), _SEPARATOR, binder.value) for name in ("application", "value"))
    fields = *texts, exp.cast(column("devices"), "varchar")
    lines = exp.select(
        _joined_fields(binder, *fields).as_("line", quoted=True), *map(column, ("position", "devices", "value"))
    )
    order = ("position", False), ("devices", True), ("value", False)
    ordered = exp.select(column("line")).from_(lines.from_(counted.subquery("counted")).subquery("lines"))
    return binder.statement(
        ordered.order_by(*(exp.Ordered(this=column(name), desc=desc, nulls_first=False) for name, desc in order))
    )


def _specific(binder: Binder, wanted: Holders, tags: Snapshot, devices: Snapshot) -> exp.Select:
    """The values of a tag of one application. A tag whose device was never registered counts; a deleted device's does not."""
    held = _held(binder, wanted, tags, OneOf("application", wanted.applications))
    deleted = AllOf((DELETED, OneOf("application", wanted.applications)))
    gone = _devices(binder, Records(DEVICES, wanted.account, deleted, deleted=True), devices, once=DELETED)
    same = exp.and_(*(column(name, "held").eq(column(name, "gone")) for name in ("application", "hwid")))
    return (
        _read_value(binder, wanted)
        .from_(held.subquery("held"))
        .join(_holder_condition(binder, wanted), on=column("application", "held").eq(column("application", "asked")))
        .join(gone.subquery("gone"), on=same, join_type="anti")
    )


def _shared(binder: Binder, wanted: Holders, tags: Snapshot, devices: Snapshot) -> exp.Select:
    """The values of a shared tag, once for each application in which the device is registered."""
    held = _held(binder, wanted, tags, IsNull("application"))
    here = Records(DEVICES, wanted.account, OneOf("application", wanted.applications))
    live = _devices(binder, here, devices)
    return (
        _read_value(binder, wanted)
        .from_(held.subquery("held"))
        .join(live.subquery("live"), on=column("hwid", "held").eq(column("hwid", "live")))
        .join(_holder_condition(binder, wanted), on=column("application", "live").eq(column("application", "asked")))
    )


def _held(binder: Binder, wanted: Holders, tags: Snapshot, where: Filter) -> exp.Select:
    condition = AllOf((Equals("tag", wanted.tag), where, Not(IsNull("value"))))
    names = ("application", "hwid", "value")
    return current_records(binder, Records(DEVICE_TAGS, wanted.account, condition), tags, [*map(column, names)])


def _devices(binder: Binder, wanted: Records, devices: Snapshot, once: Filter = EVERYTHING) -> exp.Select:
    columns = [column("application"), column("hwid")]
    return current_records(binder.over(DEVICES), wanted, devices, columns, once=once)


def _read_value(binder: Binder, wanted: Holders) -> exp.Select:
    """The value as text, read as a member of the JSON object that it is wrapped in."""
    member = exp.func("concat", binder.value('{"v":'), column("value", "held"), binder.value("}"))
    found = (member_texts if wanted.listed else member_text)(member, binder.value("v"))
    return exp.select(column("application", "asked"), column("position", "asked"), found.as_("found", quoted=True))


def _holder_condition(binder: Binder, wanted: Holders) -> exp.Expr:
    codes, positions = pa.array(wanted.applications, pa.string()), pa.array(range(len(wanted.applications)), pa.int64())
    table = pa.table({"application": codes, "position": positions})
    return exp.alias_(binder.relation(table, "asked"), "asked", table=True)


def _valued(wanted: Holders, held: exp.Select) -> exp.Select:
    """One row for each value of a device; an element that a list contains twice counts once."""
    value: exp.Expr = column("found")
    if wanted.listed:
        value = exp.Explode(this=exp.ArrayDistinct(this=value))
    elif wanted.decimal:
        value = exp.func("coalesce", cents_text(value), value)
    found = exp.select(column("position"), column("application"), value.as_("value", quoted=True))
    return found.from_(held.subquery("found"))


def _joined_fields(binder: Binder, *fields: exp.Expr) -> exp.Expr:
    parts = [part for field in fields[:-1] for part in (field, exp.Literal.string(_SEPARATOR))]
    return exp.func("concat", *parts, fields[-1], binder.value("\n"))
