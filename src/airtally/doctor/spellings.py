"""Ids that releases before ids folded A to Z alone took for one, and that are two since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from airtally.engine.protocol import Engine
from airtally.sql.case import folded, folded_sql
from airtally.sql.compiler import column
from airtally.sql.statement import Files, Statement
from airtally.storage.lake import Lake
from airtally.storage.lake.table import LakeTable
from airtally.streams.declaration import ACCOUNT

_BITS_OF_BYTE = 8


@dataclass(frozen=True, slots=True)
class Spellings:
    """Of an id in the streams of an account, each as one of its rows has it."""

    account: str
    streams: tuple[str, ...]
    spelled: tuple[str, ...]

    def __str__(self) -> str:
        return f"{' and '.join(self.spelled)} ({', '.join(self.streams)} of {self.account})"


def split_ids(lake: Lake, engine: Engine) -> list[Spellings]:
    """In the lake alone, for an engine that reads lists of files; in order of account and id."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    streams: dict[tuple[str, str], set[str]] = defaultdict(set)
    tables = [(table, each.name) for table in lake.existing() for each in table.stream.columns if each.fold_case]
    for table, account, spelled in _odd_ids(tables, engine):
        place = account, spelled.lower().casefold()
        found[place].setdefault(folded(spelled), spelled)
        streams[place].add(table.stream.name)
    several = sorted(place for place, spelled in found.items() if len(spelled) > 1)
    return [
        Spellings(place[0], tuple(sorted(streams[place])), tuple(sorted(found[place].values()))) for place in several
    ]


def _odd_ids(tables: list[tuple[LakeTable, str]], engine: Engine) -> Iterator[tuple[LakeTable, str, str]]:
    """Table, account and id: each with other letters than ASCII's, then those of ASCII that one of them is like."""
    alike: set[str] = set()
    for table, name in tables:
        letters = exp.Mul(this=exp.Length(this=column(name)), expression=exp.Literal.number(_BITS_OF_BYTE))
        bits = exp.Anonymous(this="BIT_LENGTH", expressions=[column(name)])
        for account, spelled in _ids(table, name, engine, bits.neq(letters)):
            alike.add(spelled.lower().casefold())
            yield table, account, spelled
    plain = pa.table({"id": sorted(each for each in alike if each.isascii())})
    for table, name in tables if plain.num_rows else ():
        listed = exp.select(column("id")).from_(exp.to_table("plain"))
        for account, spelled in _ids(table, name, engine, folded_sql(column(name)).isin(query=listed), plain=plain):
            yield table, account, spelled


def _ids(
    table: LakeTable, name: str, engine: Engine, where: exp.Expr, **relations: pa.Table
) -> Iterator[tuple[str, str]]:
    view = table.newest()
    if view is None or not view.files:
        return
    files = Files(
        tuple(file.data for file in view.files), pa.schema([ACCOUNT, pa.field(name, pa.string())]), view.stream.name
    )
    tree = exp.select(column(ACCOUNT.name), column(name)).distinct().from_(exp.to_table("rows")).where(where)
    for batch in engine.stream(Statement(tree, {"rows": files, **relations}, {})):
        yield from zip(*(each.to_pylist() for each in batch.columns), strict=True)
