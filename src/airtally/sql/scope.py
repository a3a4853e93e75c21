"""A statement's tree as text, with an engine's own sources in place of the relations' names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from sqlglot import exp

from airtally.sql.compiler import column
from airtally.sql.members import in_dialect
from airtally.sql.statement import Files, Rows
from airtally.storage.lake.evolved import read_as
from airtally.storage.lake.snapshot import AccountsSnapshot
from airtally.streams.declaration import ACCOUNT


def written(tree: exp.Query, sources: Mapping[str, exp.Query], dialect: str) -> str:
    """The text of a tree in which each relation stands for a query of the engine's own."""
    return placed(tree, sources, dialect).sql(dialect, copy=False)


def placed(tree: exp.Query, sources: Mapping[str, exp.Query], dialect: str) -> exp.Query:
    """The tree with an engine's own queries in place of the relations' names."""

    def place(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Table) and node.name in sources:
            return sources[node.name].copy().subquery(node.alias_or_name, copy=False)
        form = in_dialect(node, dialect)
        return node if form is node else form.transform(place, copy=False)  # what stands in it has a form too

    return cast("exp.Query", tree.transform(place))


def of_account(source: exp.Expr, rows: Rows, parameter: str, stored: frozenset[str] | None = None) -> exp.Select:
    """The account's rows of a source, which becomes part of it. Every query reads stored rows through this function.

    `stored` are the columns that the source has, where they are not the declared ones.
    """
    names = [read_as(rows.snapshot.stream, name, stored) for name in rows.schema.names]
    return exp.select(*names, copy=False).from_(source, copy=False).where(_mine(rows, parameter), copy=False)


def segments_of_account(source: exp.Expr, files: Files, parameter: str) -> exp.Select:
    """The rows of files that a statement sees: those of its account, where they are of several."""
    found = exp.select(*map(column, files.schema.names), copy=False).from_(source, copy=False)
    return found if files.account is None else found.where(_is_account(parameter), copy=False)


def _mine(rows: Rows, parameter: str) -> exp.Expr:
    """`parameter` is a value; for several accounts the name of a table of them."""
    if not isinstance(rows.snapshot, AccountsSnapshot):
        return _is_account(parameter)
    return column(ACCOUNT.name).isin(query=exp.select(column(ACCOUNT.name)).from_(exp.to_table(parameter)))


def _is_account(parameter: str) -> exp.Expr:
    return exp.EQ(this=column(ACCOUNT.name), expression=exp.Placeholder(this=parameter))
