"""Answers statements of callers: checks the text, puts the account's rows in place of its tables, runs it confined."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import pyarrow as pa
from sqlglot import exp

from airtally.engine.confined.job import ConfinedFiles, ConfinedJob
from airtally.engine.confined.runner import ConfinedFailure, ConfinedRunner, SourceMissing
from airtally.engine.parts import files_by_columns, schema_of_files, tables_of
from airtally.engine.protocol import FilesMissing
from airtally.kit.clock import Clock
from airtally.kit.errors import LimitExceeded
from airtally.query.narrow import narrowed
from airtally.query.service import Queries
from airtally.query.sql_size import check_size
from airtally.query.sql_tables import SQL_TABLES, PlacedTables, TablePlacer
from airtally.query.sql_words import failure_in_words
from airtally.rollups.rollups import Rollups
from airtally.sql.compiler import column
from airtally.sql.dsl.statement import CheckedStatement, checked
from airtally.sql.scope import of_account, placed
from airtally.sql.statement import Files, Relation, Rows, Statement, Value

#: Data files that a statement may read.
MAX_FILES = 20_000


@dataclass(frozen=True, slots=True)
class SqlAnswer:
    """`table` is in the statement's order. All rows received by `data_through_us` are in."""

    table: pa.Table
    data_through_us: int
    generated_at_us: int
    elapsed_seconds: float
    tables: tuple[str, ...]


class SqlQueries:
    """Thread-safe: it holds nothing but parts that are. `seconds` is the limit of one statement."""

    def __init__(
        self, queries: Queries, rollups: Rollups, runner: ConfinedRunner, clock: Clock, *, seconds: float
    ) -> None:
        self._queries, self._rollups, self._runner = queries, rollups, runner
        self._clock, self._seconds = clock, seconds

    def answer(self, account: str, text: str) -> SqlAnswer:
        """Raises StatementRefused, LimitExceeded, TooManyRequests and FilesMissing."""
        begun = time.monotonic()
        statement = checked(text, SQL_TABLES.keys())
        try:
            return self._answer(account, statement, begun)
        except FilesMissing:  # vacuumed meanwhile: once more, on new snapshots
            return self._answer(account, statement, begun)

    def _answer(self, account: str, statement: CheckedStatement, begun: float) -> SqlAnswer:
        now_us = self._clock.now_us()
        tables = TablePlacer(self._queries, self._rollups, account).place(statement, now_us)
        job = _job(statement, tables, now_us)
        try:
            table = self._runner.run(account, self._seconds, lambda left: replace(job, seconds=max(left, 0.01)))
        except ConfinedFailure as failure:
            raise failure_in_words(failure, statement, self._seconds) from None
        except SourceMissing as missing:
            relations = [each for own in tables.statements.values() for each in own.relations.values()]
            raise FilesMissing.of(relations, str(missing)) from None
        check_size(table)
        through_us = now_us if tables.data_through_us is None else tables.data_through_us
        elapsed = time.monotonic() - begun
        return SqlAnswer(narrowed(table), through_us, self._clock.now_us(), elapsed, tuple(sorted(statement.tables)))


def _job(statement: CheckedStatement, tables: PlacedTables, now_us: int) -> ConfinedJob:
    sources: dict[str, ConfinedFiles | pa.Table] = {}
    parameters: dict[str, Value] = {}
    relations: dict[str, exp.Query] = {}
    for number, (name, own) in enumerate(tables.statements.items()):
        relations[name] = _placed_statement(f"_{number}", own, sources, parameters)
    if sum(len(each.files) for each in sources.values() if isinstance(each, ConfinedFiles)) > MAX_FILES:
        raise LimitExceeded(f"The statement would read more than {MAX_FILES} data files.", hint="Use a rollup.")
    return ConfinedJob(statement.rendered(relations, now_us), parameters, sources, 0.0)


def _placed_statement(
    prefix: str, own: Statement, sources: dict[str, ConfinedFiles | pa.Table], parameters: dict[str, Value]
) -> exp.Query:
    """A table's query over registered sources; all names are made unique by `prefix`, which no caller's name has."""
    queries = {
        name: _relation(f"{prefix}_{name}", relation, sources, parameters) for name, relation in own.relations.items()
    }
    parameters |= {f"{prefix}_{name}": value for name, value in own.parameters.items()}
    tree = own.tree.copy()
    for parameter in list(tree.find_all(exp.Placeholder)):
        parameter.set("this", f"{prefix}_{parameter.name}")
    return placed(tree, queries, "duckdb")


def _relation(
    name: str, relation: Relation, sources: dict[str, ConfinedFiles | pa.Table], parameters: dict[str, Value]
) -> exp.Query:
    if isinstance(relation, pa.Table):
        sources[name] = relation
        return exp.select("*").from_(exp.to_table(name))
    if isinstance(relation, Files):
        sources[name] = ConfinedFiles(relation.files, relation.schema)
        return exp.select(*map(column, relation.schema.names)).from_(exp.to_table(name))
    parameters[f"{name}_account"] = relation.snapshot.account
    selects = [
        of_account(exp.to_table(source), relation, f"{name}_account", stored)
        for source, stored in _parts_of_rows(name, relation, sources)
    ]
    return selects[0] if len(selects) == 1 else exp.union(*selects, distinct=False)


def _parts_of_rows(
    name: str, rows: Rows, sources: dict[str, ConfinedFiles | pa.Table]
) -> list[tuple[str, frozenset[str] | None]]:
    account = rows.snapshot.account
    found: list[tuple[str, frozenset[str] | None]] = []
    for stored, files in files_by_columns(rows.files).items():
        part = f"{name}_{len(found)}"
        sources[part] = ConfinedFiles(tuple(files), schema_of_files(rows, stored), account)
        found.append((part, stored))
    for table in tables_of(rows):
        part = f"{name}_{len(found)}"
        sources[part] = table
        found.append((part, None))
    return found
