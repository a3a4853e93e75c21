"""Questions to the native API, as bodies and as links, and statements of SQL (docs/reference/query-api.md, sql-api.md)."""

from __future__ import annotations

import json
from typing import Any

from airtally.query.sql_tables import SQL_TABLES, SqlTable
from airtally.sql.dsl.functions import FUNCTIONS
from airtally.streams import STREAMS
from airtally.streams.declaration import Stream, Type
from fuzz.case import Case, Headers
from fuzz.grammar.draft import Draft
from fuzz.values import TEXTS, ZONES, moment

_FUNCTIONS = ("count", "sum", "min", "max", "mean", "distinct")
_GRAINS = ("minute", "15 minutes", "hour", "day", "week", "month", "quarter", "")
_BUCKETS = ("none", "minute", "quarter", "hour", "day", "week", "month")
_RANGES = (
    *(
        "today",
        "yesterday",
        "last 7 days",
        "last 90 minutes",
        "this month",
        "last year",
        "2026-10-31",
        "2026-10",
        "2026",
    ),
    *(
        "2026-10-01 to 2026-10-07",
        "2026-10-07 to 2026-10-01",
        "last 0 days",
        "last 999999 years",
        "0001",
        "9999-12-31",
        "",
    ),
)
_OPS = ("eq", "ne", "lt", "le", "gt", "ge", "like", "in", "is_null", "matches")
_MEMBERS = ("plan", "a.b", "price", "", "é", "/a", "$", "x" * 300, "'", '"', "\0")
_ACCEPTS = (
    *("application/json", "text/csv", "application/x-ndjson", "application/vnd.apache.parquet", "*/*;q=0.1", "text/*"),
    *("application/vnd.apache.arrow.stream", "image/png", ",;=", "application/json;q=2"),
)
_CURSORS = ("", "AAAA", "W10", "WyJ4IixudWxsLG51bGwsW11d", "é", "=" * 50, "A" * 2000)
_FORMS = (
    "{f}({a})",
    "{f}({a}, {b})",
    "{f}({a}, {b}, {c})",
    "{f}()",
    "{f}(DISTINCT {a})",
    "{f}({a}) OVER (ORDER BY {b})",
)
_OPERATORS = (
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "**",
    "||",
    "->",
    "->>",
    "=",
    "<",
    "LIKE",
    "IS DISTINCT FROM",
    "AT TIME ZONE",
)
_LITERALS = (
    *(
        "0",
        "-1",
        "1e308",
        "9223372036854775808",
        "0.1",
        "NULL",
        "true",
        "''",
        "'a.b'",
        "'{\"a\":[1]}'",
        "'$.a['",
        "'%'",
    ),
    *("INTERVAL 1 DAY", "INTERVAL '999999 years'", "TIMESTAMP '1970-01-01'", "DATE '0001-01-01'", "now()", "[1, NULL]"),
    *(
        "CAST('24:00:00' AS TIME)",
        "CAST('nan' AS DOUBLE)",
        "'(a'",
        "'Mars/Olympus'",
        "(SELECT 1)",
        "(1, 2)",
        "'\U0001f600'",
    ),
)
_TAILS = (
    "",
    "",
    " LIMIT 5",
    " ORDER BY 1",
    " GROUP BY ALL",
    " LIMIT -1",
    " ORDER BY 9",
    " HAVING count(*) > 0",
    " QUALIFY true",
)


def draw_question(draft: Draft, headers: Headers) -> Case:
    chance, asked = draft.chance, _question(draft)
    headers = [*headers, (b"Accept", chance.choice(_ACCEPTS).encode())] if chance.one_in(2) else headers
    if chance.one_in(30):
        headers = [*headers, (b"Prefer", b"respond-async")]
    if not chance.one_in(4):
        return draft.case(b"POST", "/api/v1/query", headers=headers, body=draft.json(asked))
    pairs = [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in asked.items()]
    return draft.case(b"GET", "/api/v1/query", headers=headers, query=draft.pairs(pairs))


def draw_statement(draft: Draft, headers: Headers) -> Case:
    """The engine runs what is allowed of it; all of it can be read."""
    chance = draft.chance
    table = SQL_TABLES[chance.choice(sorted(SQL_TABLES))]
    shown = ", ".join(f"{_value_of(draft, table)} AS c{n}" for n in range(chance.randrange(1, 3)))
    where = f" WHERE {_value_of(draft, table)} = {_value_of(draft, table)}" if chance.one_in(4) else ""
    statement = f"SELECT {shown} FROM {table.name}{where}{chance.choice(_TAILS)}"
    if draft.spoiled and chance.one_in(3):
        at = chance.randrange(len(statement) + 1)
        statement = statement[:at] + chance.of(*TEXTS, "--", "/*", ";", "$1", "?", "(", "'") + statement[at:]
    if chance.one_in(2):
        headers = [*headers, (b"Accept", chance.choice(_ACCEPTS).encode())]
    return draft.case(b"POST", "/api/v1/sql", headers=headers, body=draft.json({"sql": statement}))


def _value_of(draft: Draft, table: SqlTable) -> str:
    chance = draft.chance
    a, b, c = (chance.of(*table.columns, *_LITERALS) for _ in range(3))
    if chance.one_in(3):
        return f"({a} {chance.choice(_OPERATORS)} {b})"
    return chance.choice(_FORMS).format(f=chance.choice(sorted(FUNCTIONS)), a=a, b=b, c=c)


def _question(draft: Draft) -> dict[str, Any]:
    chance = draft.chance
    stream = STREAMS[chance.choice(list(STREAMS))]
    asked: dict[str, Any] = {"stream": stream.name}
    if chance.one_in(2):
        asked["metrics"] = [_metric(draft, stream) for _ in range(chance.randrange(1, 4))]
    if chance.one_in(2):
        asked["dimensions"] = [_subject(draft, stream) for _ in range(chance.randrange(3))]
    if chance.one_in(3):
        asked["filter"] = _filter(draft, stream, 0)
    asked |= _interval(draft)
    if chance.one_in(3):
        asked["compare"] = chance.of("previous_period", "previous_year")
    if chance.one_in(3):
        asked["order"] = [chance.of("count", "-count", "time", *(f"-{each.name}" for each in stream.columns))]
    if chance.one_in(3):
        asked["limit"] = chance.of(1, 5, 100_000, 0, -1, 100_001, 1.5)
    if chance.one_in(8):
        asked["cursor"] = chance.choice(_CURSORS)
    if chance.one_in(6):
        asked["format"] = chance.of("json", "csv", "ndjson", "parquet", "arrow", "xml")
    return asked


def _interval(draft: Draft) -> dict[str, Any]:
    chance = draft.chance
    found: dict[str, Any] = {}
    if chance.one_in(2):
        found["range"] = chance.choice(_RANGES)
    elif chance.one_in(2):
        found |= {"start": moment(chance, draft.today), "end": moment(chance, draft.today, 2)}
    if chance.one_in(3):
        found["grain"] = chance.choice(_GRAINS)
    elif chance.one_in(6):
        found["bucket"] = chance.choice(_BUCKETS)
    if chance.one_in(3):
        found["timezone"] = chance.of("UTC", "Asia/Kathmandu", chance.choice(ZONES))
    return found


def _subject(draft: Draft, stream: Stream) -> str:
    chance = draft.chance
    column = chance.choice(list(stream.columns))
    if column.type is Type.JSON and not chance.one_in(4):
        return f"{column.name}.{chance.choice(_MEMBERS)}"
    return chance.of(column.name, column.name, column.name, column.name, "", *TEXTS[:5])


def _metric(draft: Draft, stream: Stream) -> Any:
    chance = draft.chance
    function, column = chance.choice(_FUNCTIONS), _subject(draft, stream)
    if chance.one_in(4):
        return "count"
    if chance.one_in(2):
        return f"{function}({column})" + chance.of("", " as a", " as ", " as time", f" as {chance.choice(TEXTS)}")
    return {"function": function, "column": column} | (
        {"name": chance.of("a", "b", *TEXTS)} if chance.one_in(3) else {}
    )


def _filter(draft: Draft, stream: Stream, depth: int) -> dict[str, Any]:
    chance = draft.chance
    if depth < 4 and chance.one_in(3):
        below = [_filter(draft, stream, depth + 1) for _ in range(chance.randrange(4))]
        return chance.of({"and": below}, {"or": below}, {"not": _filter(draft, stream, depth + 1)})
    if chance.one_in(3):
        return {_subject(draft, stream): _compared(draft) for _ in range(chance.randrange(1, 3))}
    op = chance.choice(_OPS)
    leaf = {"column": _subject(draft, stream), "op": op}
    if op == "in":
        return leaf | {"value": [_single(draft) for _ in range(chance.randrange(4))]}
    return leaf if op == "is_null" else leaf | {"value": _single(draft)}


def _compared(draft: Draft) -> Any:
    single = _single(draft)
    return draft.chance.of(single, single, [single, 2], [], [single] * 2000)


def _single(draft: Draft) -> Any:
    chance = draft.chance
    at = moment(chance, draft.today)
    return chance.of(1, 48, 0.5, True, "I", "push", "*a*", draft.me.groups[0], draft.me.apps[0], at, *TEXTS)
