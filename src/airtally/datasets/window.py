"""The rows of a publication: those of a business whose sequence is above their writer's offset.

Rows of one writer enter the lake in the order of their sequence, so the last published sequence of each
writer says exactly what was published, whatever files the rows lie in since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import pyarrow as pa
from sqlglot import exp

from airtally.datasets.layout import BUSINESS, LAYOUTS, Layout
from airtally.query.changelog import VERSION_TIME
from airtally.sql.compiler import Binder, column, micros
from airtally.sql.csv_cell import csv_cell
from airtally.sql.statement import Rows, Statement
from airtally.storage.lake.snapshot import DataFile, Snapshot
from airtally.streams.declaration import WRITER_ID, Type

#: Columns of the answers beside the ones of a file.
LINE, MOMENT = "line", "_moment"


@dataclass(frozen=True, slots=True)
class PublicationWindow:
    """`snapshot` has only files that may hold something new; `offsets` the last published sequences by writer."""

    snapshot: Snapshot
    business: str
    offsets: Mapping[str, int]

    @property
    def layout(self) -> Layout:
        return LAYOUTS[self.snapshot.stream.name]

    @property
    def files(self) -> tuple[DataFile, ...]:
        return self.snapshot.compacted + self.snapshot.uncompacted

    @property
    def rows(self) -> int:
        """An upper bound."""
        return sum(file.rows for file in self.files)


def publication_window(
    snapshot: Snapshot, business: str, offsets: Mapping[str, int], consumed_files: frozenset[str]
) -> PublicationWindow:
    """`consumed_files` names lake files whose rows of the business are all published."""

    def new(files: tuple[DataFile, ...]) -> tuple[DataFile, ...]:
        return tuple(file for file in files if name_of(file) not in consumed_files)

    return PublicationWindow(
        replace(snapshot, compacted=new(snapshot.compacted), uncompacted=new(snapshot.uncompacted)), business, offsets
    )


def name_of(file: DataFile) -> str:
    """A lake file's name without its folder; unique, since it contains a UUID."""
    return PurePosixPath(file.path).name


def render_lines(wanted: PublicationWindow) -> Statement:
    """Each row as a line of CSV, and its time in microseconds, for the report dates."""
    binder = Binder(wanted.snapshot.stream)
    cells: list[exp.Expr] = []
    for each in wanted.layout.columns:
        cells += [exp.Literal.string(","), _cell(each.name, each.type)]
    line = exp.Anonymous(this="CONCAT", expressions=[*cells[1:], _char("\n")])
    return binder.statement(_unpublished(binder, wanted, [line.as_(LINE, quoted=True), _report_time(wanted.layout)]))


def render_rows(wanted: PublicationWindow) -> Statement:
    """Each row's columns in the file, and its time in microseconds."""
    binder = Binder(wanted.snapshot.stream)
    names = [column(each.name) for each in wanted.layout.columns]
    return binder.statement(_unpublished(binder, wanted, [*names, _report_time(wanted.layout)]))


def render_offsets(wanted: PublicationWindow) -> Statement:
    """The highest sequence of each writer, as `writer_id` and `through`."""
    binder = Binder(wanted.snapshot.stream)
    writer, through = column(WRITER_ID.name), exp.Max(this=column("sequence")).as_("through", quoted=True)
    return binder.statement(_unpublished(binder, wanted, [writer, through]).group_by(writer))


def _unpublished(binder: Binder, wanted: PublicationWindow, columns: list[exp.Expr]) -> exp.Select:
    """The rows above the offsets. The tree is built in place: copying it at each step takes longer than a small answer."""
    stored = exp.alias_(binder.relation(Rows.all_of(wanted.snapshot), "rows"), "stored", table=True)
    tree = exp.Select(expressions=columns).from_(stored, copy=False)
    tree = tree.where(column(BUSINESS).eq(binder.value(wanted.business)), copy=False)
    if not wanted.offsets:
        return tree
    ends = pa.array(wanted.offsets.values(), pa.int64())
    offsets = pa.table({"published": pa.array(wanted.offsets, pa.string()), "through": ends})
    listed = exp.alias_(binder.relation(offsets, "offsets"), "offsets", table=True)
    tree = tree.join(listed, on=column(WRITER_ID.name).eq(column("published")), join_type="left", copy=False)
    return tree.where(exp.or_(column("through").is_(exp.null()), column("sequence") > column("through")), copy=False)


def _report_time(layout: Layout) -> exp.Expr:
    """The time whose UTC day is a row's report date; for a row without one, the time of its version."""
    moment = micros(layout.time)
    if layout.time != VERSION_TIME:
        moment = exp.Coalesce(this=moment, expressions=[micros(VERSION_TIME)])
    return moment.as_(MOMENT, quoted=True)


def _cell(name: str, kind: Type) -> exp.Expr:
    """A value as CSV. A null stays null, which CONCAT leaves out."""
    if kind is Type.TIME:
        return _time(name)
    return _csv_text(name) if kind is Type.TEXT else exp.cast(column(name), "text")


def _csv_text(name: str) -> exp.Expr:
    """In quotes also where it is empty, which is not null."""
    empty = column(name).eq(exp.Literal.string(""))
    return exp.Case().when(empty, exp.Literal.string('""')).else_(csv_cell(column(name), ",", _literal))


def _time(name: str) -> exp.Expr:
    """`YYYY-MM-DD HH:MM:SS.mmm`. One microsecond is added so that the engine writes six places, of which three are kept."""
    thousand = exp.Literal.number(1000)
    over = exp.Paren(this=exp.Mod(this=micros(name), expression=thousand))
    floored = exp.Paren(this=exp.Mod(this=exp.Paren(this=over + thousand.copy()), expression=thousand.copy()))
    moment = exp.Anonymous(this="MAKE_TIMESTAMP", expressions=[micros(name) - floored + exp.Literal.number(1)])
    return exp.Left(this=exp.cast(moment, "text"), expression=exp.Literal.number(23))


def _literal(text: str) -> exp.Expr:
    return _char(text) if text in {"\r", "\n"} else exp.Literal.string(text)


def _char(character: str) -> exp.Expr:
    return exp.Chr(expressions=[exp.Literal.number(ord(character))])
