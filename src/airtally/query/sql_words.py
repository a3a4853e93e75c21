"""The engine's errors in words of this program."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from sqlglot import exp

from airtally.engine.confined.job import MAX_BYTES, MAX_ROWS, MEMORY
from airtally.engine.confined.runner import ConfinedFailure
from airtally.kit.errors import Failure, LimitExceeded, TooLargeAtOnce
from airtally.query.sql_size import MAX_CELLS
from airtally.sql.dsl.functions import WITH_PATTERN
from airtally.sql.dsl.refusal import SqlPlace, StatementRefused, place_of, quoted
from airtally.sql.dsl.statement import CheckedStatement

log = structlog.get_logger()

_NAMED: Mapping[str, str] = {
    "no_column": "There is no column {name}",
    "no_table": "There is no table {name} here",
    "ambiguous": "The column {name} is in several of the tables: name the table too",
    "not_grouped": "The column {name} stands neither in GROUP BY nor in an aggregate function",
    "wrong_arguments": "The function {name} does not take arguments of these types",
    "no_function": "The function {name} cannot be used in this way",
}
_PLAIN: Mapping[str, str] = {
    "no_column": "A column is named that the tables do not have",
    "no_table": "A table is named that is not among those of FROM",
    "ambiguous": "A column is named that several of the tables have",
    "not_grouped": "A column stands neither in GROUP BY nor in an aggregate function",
    "wrong_arguments": "A function or an operator is given values of types that it does not take",
    "no_function": "A function cannot be used in this way",
    "wrong_types": "Values of types that do not go together are compared or combined: use CAST",
    "unnest": "UNNEST takes a list",
    "aggregate": "An aggregate function stands where none may: in WHERE, GROUP BY, a join or another aggregate",
    "window": "A window function stands where none may: use QUALIFY, or a sub-query",
    "position": "ORDER BY or GROUP BY names a column by a number that the answer does not have",
    "column_count": "The parts of a set operation, or of VALUES, have different numbers of columns",
    "escape": "ESCAPE takes one character of ASCII, or an empty text",
    "unit": "There is no such unit of time: they are year, month, day, hour and so on",
    "domain": "A logarithm or a square root is taken of a number that has none",
    "constant": "An argument of a function has to be written out, and is computed here",
    "fraction": "A fraction lies outside of what the function takes: quantiles are from 0 to 1",
    "negative_limit": "LIMIT and OFFSET take whole numbers from 0 on",
    "frame": "The rows of a window end before they begin",
    "zero": "A number is zero where it may not be: the length of an interval, a step, or a number of groups",
    "pattern": "A regular expression cannot be read: a bracket is not closed, or a sign of repetition repeats nothing",
    "one_row": "A sub-query that stands for one value gave several rows",
    "time_zone": "There is no such time zone: use an IANA name such as 'America/Sao_Paulo'",
    "json": "A text that is read as JSON is none: ask json_valid first",
    "json_path": "A JSON path cannot be read: they look like '$.member[0]'",
    "format": "A text cannot be read by the format that is given for it, or the format itself cannot be read",
    "overflow": "A number in the statement or its answer does not fit into its type",
    "conversion": "A value cannot be converted to the type that is asked for: TRY_CAST gives null instead",
    "depth": "The statement is nested too deeply",
    "refused": "A part of the statement cannot be used",
    "syntax": "The statement cannot be read",
    "binding": "A part of the statement does not fit with the rest: a name, a type, or where a function stands",
    "input": "A function was given a value that it cannot use",
    "not_implemented": "A part of the statement is not supported",
    "unknown": "The statement cannot be run",
}
_LIMITS: Mapping[str, str] = {
    "time": "The statement took longer than {seconds:g} s, the most that it may take.",
    "memory": f"The statement needed more than {MEMORY >> 20} MiB of memory.",
    "too_wide": f"Some thousand rows of the answer have more than {MAX_BYTES >> 20} MiB, the most that they may have.",
}
#: Those of answers that are waited for; exports have no such limits.
_LIMITS_AT_ONCE: Mapping[str, str] = {
    "too_many_rows": f"The answer has more than {MAX_ROWS} rows, the most that one may have.",
    "too_many_bytes": f"The answer has more than {MAX_BYTES >> 20} MiB, the most that one may have.",
    "too_many_values": f"The answer has more than {MAX_CELLS} values, or names that are too long for its rows.",
}
_LIMIT_HINT = "Ask for fewer rows or columns, a shorter interval, or a rollup; LIMIT cuts an answer."


#: What an error is about where the engine names nothing. If the statement has one such part, that is the place.
_ABOUT: Mapping[str, tuple[type[exp.Expr], ...]] = {
    "conversion": (exp.Cast,),
    "escape": (exp.Escape,),
    "unit": (exp.Extract, exp.TimestampTrunc, exp.DateTrunc, exp.DateDiff),
    "domain": (exp.Ln, exp.Log, exp.Sqrt),
    "fraction": (exp.PercentileCont, exp.PercentileDisc, exp.ApproxQuantile, exp.Quantile),
    "frame": (exp.Window,),
    "negative_limit": (exp.Limit, exp.Offset),
    "pattern": WITH_PATTERN,
    "unnest": (exp.Explode, exp.Unnest),
    "window": (exp.Window,),
    "aggregate": (exp.AggFunc,),
    "one_row": (exp.Subquery,),
    "time_zone": (exp.AtTimeZone,),
    "json_path": (exp.JSONExtract, exp.JSONExtractScalar),
    "json": (exp.JSONExtract, exp.JSONExtractScalar),
    "format": (exp.StrToTime,),
}


def failure_in_words(failure: ConfinedFailure, statement: CheckedStatement, seconds: float) -> Failure:
    """The words for an error. A name from the engine's text is shown only if it is the statement's own."""
    if (limit := _LIMITS_AT_ONCE.get(failure.code)) is not None:
        return TooLargeAtOnce(limit, hint=_LIMIT_HINT)
    if (limit := _LIMITS.get(failure.code)) is not None:
        return LimitExceeded(limit.format(seconds=seconds), hint=_LIMIT_HINT)
    log.info("statement_refused_by_engine", code=failure.code, name=failure.name)
    place = statement.place_of_name(failure.name) if failure.name else None
    if place is not None and failure.code in _NAMED:
        return StatementRefused(_NAMED[failure.code].format(name=quoted(failure.name)), place)
    plain = _PLAIN.get(failure.code, _PLAIN["unknown"])
    return StatementRefused(plain, place or _place_about(failure.code, statement))


def _place_about(code: str, statement: CheckedStatement) -> SqlPlace:
    """Of the only part that an error can be about, else the beginning."""
    found = list(statement.tree.find_all(*_ABOUT[code])) if code in _ABOUT else []
    return place_of(statement.text, found[0]) if len(found) == 1 else SqlPlace(1, 1)
