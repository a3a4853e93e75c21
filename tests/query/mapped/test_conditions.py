"""Filters on texts, decided as SQL decides them."""

from __future__ import annotations

from itertools import product
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from airtally.query.mapped.conditions import TextConditions, can_decide, fits
from airtally.rollups.maps.columns import TextColumn
from airtally.sql.compiler import Binder
from airtally.sql.filters import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Between,
    Contains,
    Equals,
    Filter,
    IsNull,
    Like,
    Member,
    Not,
    OneOf,
)
from airtally.streams import AD_EVENTS

TEXTS = ["", "DE", "US", "a", "ab", "b%c", "b_c", "é", "\U0001f600"]
ATOMS: list[Filter] = [
    Equals("country", "DE"),
    Equals("country", "absent"),
    OneOf("country", ("US", "", "x")),
    OneOf("country", ()),
    IsNull("country"),
    Like("country", "*"),
    Like("country", "b_*"),
    Like("country", "*%c"),
    Like("country", "a"),
    Like("country", "*a*b*"),
    Between("country", at_least="a", below="é"),
    Between("country", above="US", at_most="ab"),
    Equals("ad_group_id", "G"),
    Between("country"),
    IsNull("ad_group_id"),
    EVERYTHING,
    AnyOf(()),
]
ROWS = list(product([*TEXTS, None], ["g", "h", None]))


def by_engine(condition: Filter) -> list[int]:
    """The numbers of the rows that DuckDB finds."""
    binder = Binder(AD_EVENTS).of_segments()
    text = binder.condition(condition).sql("duckdb")
    table = pa.table({"n": range(len(ROWS)), "country": [c for c, _ in ROWS], "ad_group_id": [g for _, g in ROWS]})
    with duckdb.connect() as connection:
        connection.register("t", table)
        found = connection.execute(f"SELECT n FROM t WHERE {text} ORDER BY n", binder.parameters).fetchall()
    return [n for (n,) in found]


def column(values: list[str | None]) -> TextColumn:
    texts = sorted({each for each in values if each is not None}) + ([None] if None in values else [])
    return TextColumn(np.array([texts.index(each) for each in values], np.uint8), pa.array(texts, pa.string()))


COLUMNS = {"country": column([c for c, _ in ROWS]), "ad_group_id": column([g for _, g in ROWS])}
CODES = {name: each.codes for name, each in COLUMNS.items()}


def here(condition: Filter) -> list[int]:
    met: Any = TextConditions(AD_EVENTS, COLUMNS).met(condition, CODES)
    flags = np.broadcast_to(np.asarray(met), len(ROWS))
    return np.flatnonzero(flags).tolist()


def test_each_condition_and_all_pairs_are_as_in_sql():
    pairs = [(ATOMS[i], ATOMS[(i * 7 + 3) % len(ATOMS)]) for i in range(len(ATOMS))]
    wanted = [*ATOMS, *map(Not, ATOMS), *map(AllOf, pairs), *map(AnyOf, pairs), *(Not(AllOf(each)) for each in pairs)]
    wanted += [Not(AnyOf(each)) for each in pairs] + [AllOf((Not(one), AnyOf((one, other)))) for one, other in pairs]
    for condition in wanted:
        assert can_decide(condition)
        assert here(condition) == by_engine(condition), condition


@pytest.mark.parametrize(
    ("pattern", "text", "fit"),
    [("a*a", "a", False), ("a*a", "aa", True), ("*", "", True), ("a*b*c", "abbc", True), ("a*bb*b", "abb", False)],
)
def test_a_pattern_fits_a_text_as_a_whole(pattern, text, fit):
    assert fits(pattern, text) is fit


def test_what_is_not_about_a_text_is_left_to_the_engine():
    assert not can_decide(AllOf((Equals(Member("country", "x"), "1"),)))
    assert not can_decide(Not(Contains("country", "x", fold_case=True)))
