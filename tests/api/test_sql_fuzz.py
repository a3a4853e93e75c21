"""Statements drawn from the engine's own list of functions: whatever they are, the answer is in words of this program."""

from __future__ import annotations

import random
import re

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from airtally.sql.dsl.functions import FUNCTIONS

#: What stands in the engine's texts, or in what this program hands to it, and in none of its own.
FOREIGN = re.compile(
    r"[A-Z][a-z]+ Error:|Exception|duckdb|LINE \d|Candidate|\bINTERNAL\b|_\d+_rows|opened://|Did you mean|Traceback"
    r"|json_serialize|Parser|Binder|Catalog|max_expression_depth|\bSET "
)
BY_TYPE = {
    "VARCHAR": ["'a'", "''", "id", "'%d'", "'1'", "'{\"a.b\": 2}'", "'$.a['", "'(a'", "'day'", "'x' || id", "type"],
    "DOUBLE": ["0.5", "-1.0", "1e308", "CAST('nan' AS DOUBLE)", "duration_seconds"],
    "TIME": ["CAST('24:00:00' AS TIME)", "CAST('08:00' AS TIME)"],
    "INTERVAL": ["INTERVAL 1 DAY", "INTERVAL '-2 months'", "INTERVAL '99999999 years'"],
    "DATE": ["DATE '2026-10-01'", "DATE '0001-01-01'", "CAST('infinity' AS DATE)"],
    "TIMESTAMP": ["played_at", "TIMESTAMP '1970-01-01'", "now()", "CAST('infinity' AS TIMESTAMP)"],
    "BOOLEAN": ["true", "NULL", "player_id = 1"],
    "JSON": ["CAST('[1]' AS JSON)", "CAST('{' AS JSON)"],
}
NUMBERS = ["0", "-1", "1", "9223372036854775807", "player_id", "NULL", "1e20"]
LISTS = ["[1, 2, NULL]", "['a']", "list_value()", "[[1]]", "NULL"]
FORMS = [
    *("SELECT {call} AS a FROM playlogs", "SELECT {call} AS a FROM playlogs WHERE {call} = {other}"),
    *(
        "SELECT {call} AS a, {other} AS b FROM playlogs GROUP BY ALL ORDER BY 1",
        "SELECT {call} OVER (ORDER BY id) AS a FROM playlogs",
    ),
    *(
        "SELECT * FROM {call}",
        "SELECT {call} AS a FROM playlogs GROUP BY player_id",
        "SELECT (SELECT {call}) AS a FROM playlogs",
    ),
    *("SELECT {call} AS a UNION SELECT {other}, 1", "SELECT id LIKE {other} ESCAPE {call} AS a FROM playlogs"),
    *("SELECT CAST({call} AS INT) AS a FROM playlogs", "SELECT {call} AS a FROM playlogs LIMIT {other}"),
    "WITH t AS (SELECT concat({call}, {other}) AS x FROM playlogs) SELECT concat(x, x, x) AS a FROM t, playlogs",
]


def signatures():
    """Each function of the engine, with the types of its parameters."""
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT function_name, parameter_types FROM duckdb_functions() WHERE regexp_full_match(function_name, '[a-z_0-9]+')"
        ).fetchall()
    return sorted({(name, tuple(str(each) for each in types)) for name, types in found})


def argument(random, kind):
    for known, values in BY_TYPE.items():
        if known in kind:
            return random.choice(values)
    return random.choice(LISTS if "[" in kind or kind == "ANY" else NUMBERS)


def drawn(seed, count):
    """Two of three call functions that are allowed. Some are written anew by sqlglot, with other spaces and forms."""
    draw = random.Random(seed)
    every = signatures()
    allowed = [each for each in every if each[0] in FUNCTIONS]

    def call():
        name, kinds = draw.choice(every if draw.random() < 0.3 else allowed)
        if draw.random() < 0.1:
            kinds = (*kinds, "ANY")
        return f"{name}({', '.join(argument(draw, each) for each in kinds)})"

    for _ in range(count):
        statement = draw.choice(FORMS).format(
            call=call(), other=call() if draw.random() < 0.5 else argument(draw, "VARCHAR")
        )
        yield rewritten(statement) if draw.random() < 0.3 else statement


def rewritten(statement):
    try:
        tree = sqlglot.parse_one(statement, read="duckdb")
    except sqlglot.errors.SqlglotError:
        return statement
    for literal in list(tree.find_all(exp.Literal))[:1]:
        literal.replace(exp.paren(literal.copy()))
    return tree.sql("duckdb", pretty=True)


def wrong_with(answer, statement):
    """What is wrong with an answer, or None."""
    if answer.status_code in {200, 202}:
        return None
    body = answer.json()
    if answer.status_code != 422 or body["code"] not in {"sql_refused", "limit_exceeded", "unprocessable"}:
        return f"{answer.status_code} {answer.text}"
    told = body["detail"] + body.get("hint", "")
    shown = re.sub(r"`[^`]*`", "", told)
    if FOREIGN.search(shown):
        return told
    if body["code"] == "sql_refused":
        lines = statement.split("\n")
        if not (1 <= body["line"] <= len(lines) and 1 <= body["column"] <= len(lines[body["line"] - 1]) + 1):
            return f"no such place: {told}"
    return None


def findings(client, seed, count):
    rows = [
        {"player_id": n, "media_id": n, "played_at": f"2026-10-01T08:00:0{n}", "id": f"p{n}", "duration_seconds": n / 4}
        for n in range(5)
    ]
    assert client.send("playlogs", rows).json()["rejected"] == 0
    statuses, found = set(), []
    for statement in drawn(seed, count):
        answer = client.http.post("/api/v1/sql", json={"sql": statement})
        statuses.add(answer.status_code)
        if (wrong := wrong_with(answer, statement)) is not None:
            found.append((statement, wrong))
    assert statuses >= {200, 422}
    return found


def test_whatever_is_asked_the_words_are_ours(client):
    assert findings(client, 1, 100) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_whatever_is_asked_the_words_are_ours_for_long(client, seed):
    assert findings(client, seed, 500) == []
