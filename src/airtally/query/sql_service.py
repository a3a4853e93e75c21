"""Answers statements of callers: checks the text, puts the account's rows in place of its tables, runs it confined."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pyarrow as pa
from sqlglot import exp

from airtally.engine.confined.job import ConfinedFiles, ConfinedJob
from airtally.engine.confined.runner import ConfinedAnswer, ConfinedFailure, ConfinedRunner, SourceMissing
from airtally.engine.parts import files_by_columns, schema_of_files, tables_of
from airtally.engine.protocol import FilesMissing
from airtally.kit.clock import Clock
from airtally.kit.errors import LimitExceeded
from airtally.query.narrow import narrowed
from airtally.query.service import Queries
from airtally.query.sql_size import check_columns, is_too_large
from airtally.query.sql_tables import SQL_TABLES, PlacedTables, TablePlacer
from airtally.query.sql_words import failure_in_words
from airtally.rollups.rollups import Rollups
from airtally.sql.dsl.statement import CheckedStatement, checked
from airtally.sql.scope import of_account, placed, segments_of_account
from airtally.sql.statement import Files, Relation, Rows, Statement, Value

#: Data files that a statement may read.
MAX_FILES = 20_000
#: What a statement has whose answer nobody waits for.
STREAM_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class SqlAnswer:
    """`table` is in the statement's order. All rows received by `data_through_us` are in."""

    table: pa.Table
    data_through_us: int
    generated_at_us: int
    elapsed_seconds: float
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PreparedStatement:
    """A statement on pinned snapshots of its tables, whose rows received by `data_through_us` are all in."""

    statement: CheckedStatement
    tables: PlacedTables
    job: ConfinedJob
    data_through_us: int


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

    def prepare(self, account: str, statement: CheckedStatement, now_us: int) -> PreparedStatement:
        """The statement on the rows that are there now; its present is `now_us`. Raises FilesMissing, LimitExceeded."""
        tables, asked_us = self._placer(account).place(statement, now_us), self._clock.now_us()
        through_us = asked_us if tables.data_through_us is None else tables.data_through_us
        job = replace(_job(statement, tables, now_us), seconds=STREAM_SECONDS, streamed=True)
        return PreparedStatement(statement, tables, job, through_us)

    @contextmanager
    def streamed(self, prepared: PreparedStatement, while_waiting: Callable[[], None]) -> Iterator[ConfinedAnswer]:
        """An answer of any number of rows, which the statement has `STREAM_SECONDS` for.

        While nothing comes, `while_waiting` is called each second; what it raises ends the statement. Raises what
        `answer` does, also while the rows are read.
        """
        with (
            _confined_in_words(prepared.statement, prepared.tables, STREAM_SECONDS),
            self._runner.streamed(prepared.job, while_waiting) as answer,
        ):
            check_columns(answer.schema)
            yield answer

    def _placer(self, account: str) -> TablePlacer:
        return TablePlacer(self._queries, self._rollups, account)

    def _answer(self, account: str, statement: CheckedStatement, begun: float) -> SqlAnswer:
        now_us = self._clock.now_us()
        tables = self._placer(account).place(statement, now_us)
        job = _job(statement, tables, now_us)
        with _confined_in_words(statement, tables, self._seconds):
            table = self._runner.run(account, self._seconds, lambda left: replace(job, seconds=max(left, 0.01)))
        check_columns(table.schema)
        if is_too_large(table):
            raise failure_in_words(ConfinedFailure("too_many_values"), statement, self._seconds)
        through_us = now_us if tables.data_through_us is None else tables.data_through_us
        elapsed = time.monotonic() - begun
        return SqlAnswer(narrowed(table), through_us, self._clock.now_us(), elapsed, tuple(sorted(statement.tables)))


@contextmanager
def _confined_in_words(statement: CheckedStatement, tables: PlacedTables, seconds: float) -> Iterator[None]:
    """Raises failures in this program's words for those of the confined process."""
    try:
        yield
    except ConfinedFailure as failure:
        raise failure_in_words(failure, statement, seconds) from None
    except SourceMissing as missing:
        relations = [each for own in tables.statements.values() for each in own.relations.values()]
        raise FilesMissing.of(relations, str(missing)) from None


def _job(statement: CheckedStatement, tables: PlacedTables, now_us: int) -> ConfinedJob:
    sources: dict[str, ConfinedFiles | pa.Table] = {}
    parameters: dict[str, Value] = {}
    relations: dict[str, exp.Query] = {}
    for number, (name, own) in enumerate(tables.statements.items()):
        relations[name] = _placed_statement(f"_{number}", own, sources, parameters)
    if sum(len(each.files) for each in sources.values() if isinstance(each, ConfinedFiles)) > MAX_FILES:
        raise LimitExceeded(f"The statement would read more than {MAX_FILES} data files.", hint="Use a rollup.")
    return ConfinedJob(statement.rendered(relations, now_us, tables.kept), parameters, sources, 0.0)


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
        sources[name] = ConfinedFiles(relation.files, relation.stored, relation.account)
        parameters |= {} if relation.account is None else {f"{name}_account": relation.account}
        return segments_of_account(exp.to_table(name), relation, f"{name}_account")
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
