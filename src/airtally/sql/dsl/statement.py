"""A checked statement: its tree, the tables that it names, and the columns that it may need of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from airtally.kit.time import to_datetime
from airtally.sql.dsl.bounds import without_times
from airtally.sql.dsl.check import HINT, check_nodes
from airtally.sql.dsl.read import read_statement
from airtally.sql.dsl.refusal import SqlPlace, StatementRefused, place_of, quoted

MAX_TABLES = 20
_CTE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_RESERVED = re.compile(r"(duckdb_|pg_|sqlite_|pragma_|information_schema|main$|temp$|system$)")


@dataclass(frozen=True, slots=True)
class CheckedStatement:
    """`columns` are in lower case; None if it may need all that a table has."""

    text: str
    tree: exp.Query
    tables: frozenset[str]
    columns: frozenset[str] | None

    def rendered(
        self, relations: Mapping[str, exp.Query], now_us: int, kept: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        """The text for the engine, with a query for each table and `now_us` as the present.

        The queries of the tables in `kept`, which names the column of their time, keep to `kept_times` by themselves.
        Raises StatementRefused.
        """
        tree = self.tree.copy()
        for name, time in kept.items():
            without_times(tree, name, time, now_us)
        for table in list(tree.find_all(exp.Table)):
            if (query := relations.get(table.name.lower())) is not None:
                table.replace(_in_place(table, query))
        for present in list(tree.find_all(exp.CurrentTimestamp, exp.CurrentDate, exp.Anonymous)):
            if not isinstance(present, exp.Anonymous) or present.name.lower() == "now":
                present.replace(_moment(present, now_us))
        try:
            return tree.sql("duckdb", identify=True, comments=False, unsupported_level=ErrorLevel.IMMEDIATE)
        except (SqlglotError, ValueError, RecursionError):
            raise StatementRefused("A part of the statement cannot be used", SqlPlace(1, 1), hint=HINT) from None

    def place_of_name(self, name: str) -> SqlPlace | None:
        """Where a name stands that the engine's error speaks of; None if the statement has no such name."""
        for node in self.tree.walk():
            if isinstance(node, exp.Identifier | exp.Func) and name.lower() in self._names_of(node):
                return place_of(self.text, node)
        return None

    def _names_of(self, node: exp.Identifier | exp.Func) -> set[str]:
        if isinstance(node, exp.Identifier):
            return {node.name.lower()}
        start, end = node.meta.get("start"), node.meta.get("end")
        return set() if start is None or end is None else {self.text[start : end + 1].lower()}


def checked(text: str, tables: Collection[str]) -> CheckedStatement:
    """The statement of `text` over `tables`, which are named in lower case. Raises StatementRefused."""
    tree = read_statement(text)
    try:
        check_nodes(text, tree)
        ctes = _cte_names(text, tree, tables)
        return CheckedStatement(text, tree, _tables_named(text, tree, tables, ctes), _columns_named(tree))
    except RecursionError:
        raise StatementRefused("The statement is nested too deeply", SqlPlace(1, 1)) from None


def _cte_names(text: str, tree: exp.Query, tables: Collection[str]) -> set[str]:
    """Names that are no table's, so that a name of a table is the account's wherever it stands."""
    names: set[str] = set()
    for cte in tree.find_all(exp.CTE):
        name = cte.alias.lower()
        if not _CTE_NAME.match(name):
            wrong = "has small letters, digits and _ only, and begins with a letter"
        elif name in tables or _RESERVED.match(name):
            wrong = "is a table's"
        elif name in names:
            wrong = "is given twice"
        else:
            names.add(name)
            continue
        raise StatementRefused(f"The name {quoted(cte.alias)} in WITH {wrong}", place_of(text, cte.args["alias"]))
    return names


def _tables_named(text: str, tree: exp.Query, tables: Collection[str], ctes: Collection[str]) -> frozenset[str]:
    found = list(tree.find_all(exp.Table))
    if len(found) > MAX_TABLES:
        raise StatementRefused(f"The statement names more than {MAX_TABLES} tables", place_of(text, found[MAX_TABLES]))
    for table in found:
        if table.name.lower() not in tables and table.name.lower() not in ctes:
            hint = "The tables are: " + ", ".join(sorted(tables))
            raise StatementRefused(f"There is no table {quoted(table.name)}", place_of(text, table), hint=hint)
    return frozenset(table.name.lower() for table in found if table.name.lower() in tables)


def _columns_named(tree: exp.Query) -> frozenset[str] | None:
    for star in tree.find_all(exp.Star):
        if not isinstance(star.parent, exp.Count):
            return None
    if any(join.args.get("method") == "NATURAL" for join in tree.find_all(exp.Join)):
        return None
    if any(alias.columns and isinstance(alias.parent, exp.Table) for alias in tree.find_all(exp.TableAlias)):
        return None  # columns renamed by their position
    sources = {each.alias_or_name.lower() for each in tree.find_all(exp.Table, exp.Subquery, exp.CTE)}
    names = frozenset(each.name.lower() for each in tree.find_all(exp.Identifier))
    whole_rows = {each.name.lower() for each in tree.find_all(exp.Column)} & sources
    return None if whole_rows else names


def _in_place(table: exp.Table, query: exp.Query) -> exp.Subquery:
    alias = table.args.get("alias")
    return query.copy().subquery(alias.copy() if alias is not None else table.name)


def _moment(node: exp.Expr, now_us: int) -> exp.Expr:
    """The server's time instead of the engine's own; a date is that of UTC."""
    text = to_datetime(now_us).isoformat(" ", "microseconds")
    at = exp.Cast(this=exp.Literal.string(text), to=exp.DataType(this=exp.DType.TIMESTAMPTZ))
    return exp.Cast(this=at, to=exp.DataType(this=exp.DType.DATE)) if isinstance(node, exp.CurrentDate) else at
