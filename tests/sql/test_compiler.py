"""Filters as conditions: each compared with plain Python on the same rows, and no value in a statement's text."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from sqlglot import exp

from airtally.sql.compiler import LONG_LIST, Binder
from airtally.sql.filters import AllOf, AnyOf, Begins, Between, Contains, Equals, IsNull, Like, Member, Not, OneOf
from airtally.streams import AD_EVENTS, PLAYLOGS

PLAYS = pa.table(
    {
        "player_id": [1, 2, 3, 4],
        "ip": ["10.0.0.1", "a_b%c!d", "Straße", None],
        "duration_seconds": [0.5, 1.0, 15.5, None],
        "played_at": pa.array([0, 1_000_000, 2_000_000, 3_000_000]).cast(pa.timestamp("us", "UTC")),
    }
)
CASES = [
    (Equals("player_id", 2), [2]),
    (OneOf("player_id", ()), []),
    (OneOf("player_id", (1, 4, 10**30)), [1, 4]),
    (OneOf("player_id", tuple(range(3, 3 + LONG_LIST * 2))), [3, 4]),
    (OneOf("played_at", (0, 3_000_000)), [1, 4]),
    (Between("duration_seconds", at_least=1, at_most=15.5), [2, 3]),
    (Between("duration_seconds", below=1), [1]),
    (Between("duration_seconds", above=1), [3]),
    (Between("player_id", above=3), [4]),
    (Not(Between("duration_seconds", above=1)), [1, 2]),
    (Between("player_id"), [1, 2, 3, 4]),
    (Contains("ip", "0.0"), [1]),
    (Contains("ip", "STRASSE", fold_case=True), []),
    (Contains("ip", "A_B", fold_case=True), [2]),
    (Like("ip", "10.*"), [1]),
    (Like("ip", "a_b%c!*"), [2]),
    (Like("ip", "*0*.*1"), [1]),
    (Like("ip", "a?b*"), []),
    (IsNull("ip"), [4]),
    (Begins("ip", ("10", "a_"), ".0", ".9"), [1]),
    (Not(Equals("ip", "Straße")), [1, 2]),
    (AllOf(()), [1, 2, 3, 4]),
    (AnyOf(()), []),
    (AnyOf((Equals("player_id", 1), IsNull("duration_seconds"))), [1, 4]),
]


@pytest.mark.parametrize(("condition", "players"), CASES, ids=lambda value: type(value).__name__)
def test_a_condition_is_met_by_the_rows_it_says(condition, players):
    binder = Binder(PLAYLOGS)
    tree = exp.select("player_id").from_("plays").where(binder.condition(condition)).order_by("player_id")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("plays", PLAYS)
        for name, relation in binder.relations.items():
            connection.register(name, relation)
        found = connection.execute(tree.sql("duckdb"), dict(binder.parameters)).fetchall()
    assert [row[0] for row in found] == players


def test_values_are_parameters_and_long_lists_are_relations():
    binder = Binder(PLAYLOGS)
    secret = "'; DROP TABLE plays; --"
    tree = binder.condition(AllOf((Equals("ip", secret), OneOf("player_id", tuple(range(LONG_LIST + 1))))))
    assert secret not in tree.sql("duckdb")
    assert binder.parameters == {"p0": secret}
    (values,) = binder.relations.values()
    assert values.column("value").to_pylist() == list(range(LONG_LIST + 1))


@pytest.mark.parametrize(
    ("stream", "condition", "reason"),
    [
        (PLAYLOGS, Equals("nope", 1), "no column"),
        (PLAYLOGS, Equals("player_id", 1.5), "whole numbers"),
        (AD_EVENTS, Equals("spend", "much"), "decimal numbers"),
        (PLAYLOGS, Contains("player_id", "1"), "no text"),
        (PLAYLOGS, Equals(Member("ip", "m"), "x"), "no members"),
        (PLAYLOGS, Equals("played_at", 10**20), "no time"),
        (PLAYLOGS, Equals("ip", "\ud800"), "surrogates"),
        (PLAYLOGS, Begins("ip", ("a", "bc"), "", "z"), "several lengths"),
    ],
)
def test_what_makes_no_sense_is_refused(stream, condition, reason):
    with pytest.raises(ValueError, match=reason):
        Binder(stream).condition(condition)


def test_a_key_matched_without_case_is_compared_in_small_letters():
    binder = Binder(AD_EVENTS)
    binder.condition(Equals("ad_group_id", "ABC"))
    assert list(binder.parameters.values()) == ["abc"]
