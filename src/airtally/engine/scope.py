"""Puts an engine's own sources in the place of a statement's relation names."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from airtally.engine.protocol import Rows


def column(name: str, table: str | None = None) -> exp.Column:
    """A column by name, always quoted."""
    return exp.column(exp.to_identifier(name, quoted=True), exp.to_identifier(table, quoted=True) if table else None)


def placed(tree: exp.Query, sources: Mapping[str, exp.Query]) -> exp.Query:
    """The tree with each relation replaced by the query it stands for."""

    def place(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Table) and node.name in sources:
            return sources[node.name].copy().subquery(node.alias_or_name)
        return node

    result = tree.transform(place)
    assert isinstance(result, exp.Query)  # noqa: S101 (a table is never the root)
    return result


def of_account(source: exp.Expr, rows: Rows, parameter: str) -> exp.Select:
    """The account's own rows of a source: the one way by which stored rows come into a query."""
    names = [column(name) for name in rows.schema.names]
    return exp.select(*names).from_(source).where(column("account").eq(exp.Placeholder(this=parameter)))
