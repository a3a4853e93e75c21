"""What a caller's statement may be: forms that are taken, and attacks that are refused in words with their place."""

from __future__ import annotations

import re

import duckdb
import pytest
import sqlglot

from airtally.engine.confined.reread import EngineTreeRefused, refuse_unlisted
from airtally.query.sql_tables import SQL_TABLES
from airtally.sql.dsl.check import MAX_ITEMS
from airtally.sql.dsl.dialect import CallersDialect
from airtally.sql.dsl.refusal import StatementRefused
from airtally.sql.dsl.statement import checked
from fixtures.sql_attacks import ATTACKS

ALL = [(kind, statement, words) for kind, listed in ATTACKS.items() for statement, words in listed]
NOW_US = 1_790_000_000_000_000


def rendered(text, **relations):
    return checked(text, SQL_TABLES).rendered(relations, NOW_US)


def test_there_are_enough_attacks_of_enough_kinds():
    assert len({statement for _, statement, _ in ALL}) >= 300
    assert len(ATTACKS) >= 30


@pytest.mark.parametrize("kind", ATTACKS)
def test_attacks_are_refused_in_words_with_their_place(kind):
    wrong = []
    for statement, words in ATTACKS[kind]:
        try:
            checked(statement, SQL_TABLES)
        except StatementRefused as refused:
            placed = re.search(r" \(line \d+, column \d+\)\Z", refused.message)
            if placed is None or words not in refused.message or refused.place.line > statement.count("\n") + 1:
                wrong.append((statement, refused.message))
        else:
            wrong.append((statement, "taken"))
    assert wrong == []


@pytest.mark.parametrize(
    ("statement", "line", "column"),
    [
        ("SELECT read_text('x')", 1, 8),
        ("SELECT 1,\n  2,\n    nope(3)", 3, 5),
        ("SELECT *\nFROM\n  nowhere", 3, 3),
        ("SELECT 1; SELECT 2", 1, 11),
        ("SELECT 'ä' AS a,\n\tcurrent_setting('x')", 2, 2),
        ("WITH playlogs AS (SELECT 1) SELECT 1", 1, 6),
        ("SELECT id\nFROM playlogs\nWHERE regexp_matches(id, id)", 3, 7),
    ],
)
def test_the_place_is_that_of_what_is_refused(statement, line, column):
    with pytest.raises(StatementRefused) as refused:
        checked(statement, SQL_TABLES)
    assert (refused.value.place.line, refused.value.place.column) == (line, column)
    assert refused.value.details == {"line": line, "column": column}


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("SELECT count(*) FROM playlogs", {"playlogs"}),
        ("FROM playlogs SELECT id", {"playlogs"}),
        ("SELECT 1;", set()),
        ("SELECT p.name FROM PlayLogs l JOIN players AS p USING (player_id)", {"playlogs", "players"}),
        ("WITH a AS (SELECT * FROM playlogs), b AS (FROM a) SELECT * FROM b", {"playlogs"}),
        (
            "SELECT (SELECT max(name) FROM players_versions) FROM ad_events_quarter",
            {"players_versions", "ad_events_quarter"},
        ),
        ("(SELECT id FROM playlogs) EXCEPT (SELECT name FROM players) ORDER BY 1 LIMIT 3", {"playlogs", "players"}),
        ("SELECT id /* a comment */ FROM playlogs -- another", {"playlogs"}),
        (
            "SELECT id, row_number() OVER w FROM playlogs WINDOW w AS (PARTITION BY type ORDER BY played_at)",
            {"playlogs"},
        ),
        ("SELECT type, count(*) FROM playlogs GROUP BY CUBE (type) HAVING count(*) > 1", {"playlogs"}),
        ("SELECT x FROM app_events, unnest(string_split(event, ',')) AS u(x)", {"app_events"}),
        (
            "SELECT * FROM playlogs l, LATERAL (SELECT max(name) FROM players p WHERE p.player_id = l.player_id) AS m",
            {"playlogs", "players"},
        ),
        ('SELECT "id" FROM "playlogs"', {"playlogs"}),
    ],
)
def test_tables_are_found_wherever_they_stand(statement, tables):
    assert checked(statement, SQL_TABLES).tables == tables


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        ("SELECT count(*) FROM playlogs", set()),
        ("SELECT id FROM playlogs WHERE media_id = 1 ORDER BY played_at", {"id", "media_id", "played_at"}),
        ("SELECT * FROM playlogs", None),
        ("SELECT l.* FROM playlogs l", None),
        ("SELECT l FROM playlogs l", None),
        ("SELECT 1 FROM playlogs NATURAL JOIN players", None),
        ("SELECT a FROM playlogs AS l(a, b)", None),
        ("SELECT name FROM playlogs JOIN players USING (player_id)", {"name", "player_id"}),
    ],
)
def test_columns_that_a_statement_may_need(statement, columns):
    found = checked(statement, SQL_TABLES).columns
    assert found is None if columns is None else found is not None and found >= columns and "ip" not in found


def test_the_text_that_runs_is_that_of_the_tree():
    assert rendered('select ID as "x y" -- c\nfrom values_ where 1=1'.replace("values_", "playlogs")) == (
        'SELECT "ID" AS "x y" FROM "playlogs" WHERE 1 = 1'
    )


def test_tables_are_replaced_and_keep_their_names():
    trusted = sqlglot.parse_one('SELECT id FROM "_0_rows"', read="duckdb")
    assert rendered("SELECT playlogs.id FROM playlogs", playlogs=trusted) == (
        'SELECT "playlogs"."id" FROM (SELECT "id" FROM "_0_rows") AS "playlogs"'
    )
    assert rendered("SELECT l.id FROM playlogs AS l", playlogs=trusted) == (
        'SELECT "l"."id" FROM (SELECT "id" FROM "_0_rows") AS "l"'
    )


def test_the_present_is_the_servers():
    text = rendered("SELECT now(), current_timestamp, current_date, today()")
    assert text.count("CAST('2026-09-21 14:13:20.000000+00:00' AS TIMESTAMPTZ)") == 4
    assert text.count("AS DATE)") == 2


def _chain(operator, term, number):
    return f"SELECT 1 AS a FROM playlogs WHERE {f' {operator} '.join([term] * number)}"


@pytest.mark.parametrize(
    ("operator", "term", "most"),
    [
        ("OR", "player_id = 1", 1000),
        ("AND", "id <> 'a'", 1000),
        ("+", "player_id", 200),
        ("||", "id", 200),
        ("->", "id", 10),
    ],
)
def test_flat_chains_are_taken_up_to_their_limit(operator, term, most):
    text = rendered(_chain(operator, term, most))
    assert text.count("player_id" if "player" in term else '"id"') == most
    with pytest.raises(StatementRefused, match=f"More than {most} terms are joined by one operator"):
        rendered(_chain(operator, term, most + 1))


def test_lists_are_taken_up_to_their_limit():
    for number in (MAX_ITEMS, MAX_ITEMS + 1):
        listed = ", ".join(f"'{n}'" for n in range(number))
        text = f"SELECT 1 AS a FROM playlogs WHERE id NOT IN ({listed})"
        if number == MAX_ITEMS:
            assert rendered(text).count("'") == 2 * number
        else:
            with pytest.raises(StatementRefused, match=f"A list has more than {MAX_ITEMS} items"):
                rendered(text)


@pytest.mark.parametrize(
    "nested", ["NOT " * 900 + "true", "- " * 900 + "1", "id" + "::TEXT" * 900, "(" * 60 + "1" + ")" * 60]
)
def test_what_nests_is_refused_whatever_its_form(nested):
    with pytest.raises(StatementRefused, match="nested"):
        rendered(f"SELECT {nested} AS a FROM playlogs")


def test_what_is_deeper_than_the_engine_reads_is_told_as_depth():
    nested = "1"
    for _ in range(30):
        nested = f"({nested}){' + 1' * 50}"
    with duckdb.connect() as connection, pytest.raises(EngineTreeRefused) as refused:
        refuse_unlisted(connection, rendered(f"SELECT {nested} AS a FROM playlogs"), {"playlogs"})
    assert refused.value.code == "depth"


@pytest.mark.parametrize("escape", ["bb", "\N{LATIN SMALL LETTER E WITH ACUTE}", "!!!"])
def test_an_escape_that_is_no_character_of_its_own_is_refused(escape):
    with pytest.raises(StatementRefused, match=r"ESCAPE takes one character.*line 1, column 28"):
        rendered(f"SELECT id LIKE 'a%' ESCAPE '{escape}' AS a FROM playlogs")


@pytest.mark.parametrize("operator", ["->", "->>"])
@pytest.mark.parametrize("member", ["a.b", "a", "$.a.b", "/a/b", "", "a:b", "a*", "$", "x'y"])
def test_a_member_is_named_as_the_engine_reads_it(operator, member):
    """A text with a dot is a path to sqlglot; to DuckDB it is one member's name."""
    name = member.replace("'", "''")
    statement = f"""SELECT '{{"a.b":1,"a":{{"b":2}},"":3,"a:b":4,"a*":5,"$":6,"x''y":7}}' {operator} '{name}' AS x"""
    with duckdb.connect() as connection:
        expected = connection.execute(statement).fetchall()
        assert connection.execute(rendered(statement)).fetchall() == expected


def test_what_would_break_out_of_a_path_stays_a_text():
    written = "$.\"a') FROM read_text('x') --\""
    text = rendered("SELECT id ->> '{}' AS a FROM playlogs".format(written.replace("'", "''")))
    with duckdb.connect() as connection:
        refuse_unlisted(connection, text, {"playlogs"})
    assert [each.name for each in sqlglot.parse_one(text, read=CallersDialect).find_all(sqlglot.exp.Literal)] == [
        written
    ]
