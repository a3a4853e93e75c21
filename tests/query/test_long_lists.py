"""Lists as long as a request may carry them: bound as one value, so that a statement is as small as for a few.

Wherever a list of a caller's becomes conditions: a tree that grows with it costs 2 ms a value, 20,000 of them 40 s.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from airtally.accounts.accounts import Account
from airtally.accounts.declared import ValueType
from airtally.engine.duckdb import CAPABILITIES
from airtally.engine.protocol import Engine
from airtally.kit.time import day_start_us
from airtally.query.changelog import Records, render_records
from airtally.query.question import Metric, Question
from airtally.query.render import render
from airtally.query.service import Queries
from airtally.sql.filters import AllOf, AnyOf, Filter, Holds, Member, Names, Not, OneOf
from airtally.sql.statement import Statement
from airtally.statistics.asked import Condition, EventStatistics, Operator, Value
from airtally.statistics.events import question as statistics_question
from airtally.streams import AD_EVENTS, APP_EVENTS, MEDIAS, PLAYLOGS
from airtally.streams.declaration import Stream, Type
from fixtures.snapshots import HandMade

START = day_start_us(date(2026, 10, 1))
FEW, MANY = 100, 20_000


def texts(count: int) -> tuple[str, ...]:
    return tuple(f"Value {number}" for number in range(count))


def conditions(count: int) -> dict[str, tuple[Stream, Filter]]:
    """Of each kind of list one with so many values."""
    numbers, member = tuple(range(count)), Member("attributes", "m")
    return {
        "whole numbers": (PLAYLOGS, OneOf("player_id", numbers)),
        "texts": (AD_EVENTS, OneOf("country", texts(count))),
        "texts without case": (AD_EVENTS, OneOf("ad_group_id", texts(count))),
        "money": (AD_EVENTS, OneOf("spend", numbers)),
        "doubles": (PLAYLOGS, OneOf("duration_seconds", tuple(each / 2 for each in numbers))),
        "times": (AD_EVENTS, OneOf("time", tuple(START + each for each in numbers))),
        "texts of JSON": (APP_EVENTS, OneOf("attributes", texts(count))),
        "numbers of JSON": (APP_EVENTS, OneOf("attributes", numbers)),
        "JSON of all kinds": (APP_EVENTS, OneOf("attributes", (*numbers, *texts(count)))),
        "texts of a member": (APP_EVENTS, OneOf(member, texts(count))),
        "numbers of a member": (APP_EVENTS, OneOf(Member("attributes", "m", Type.INT64), numbers)),
        "decimals of a member": (APP_EVENTS, OneOf(Member("attributes", "m", Type.DECIMAL), numbers)),
        "elements": (APP_EVENTS, Holds(member, texts(count))),
        "all elements": (APP_EVENTS, Holds(member, texts(count), exactly=True)),
        "objects": (MEDIAS, Names("categories", "id", numbers)),
        "repeated": (APP_EVENTS, AnyOf((Not(Holds(member, texts(count))), OneOf(member, texts(count) * 2)))),
    }


def statement_of(stream: Stream, where: Filter, source: HandMade) -> Statement:
    if stream is MEDIAS:
        return render_records(Records(MEDIAS, "acme", AllOf((where,)), limit=100), source.snapshot(MEDIAS, "acme"))
    question = Question(stream, "acme", (Metric("rows"), Metric("some", where=where)), where=where)
    return render(question, source.snapshot(stream, "acme"), CAPABILITIES)


def size_of(statement: Statement) -> tuple[int, int, int]:
    return sum(1 for _ in statement.tree.walk()), len(statement.parameters), len(statement.relations)


@pytest.mark.parametrize("kind", conditions(1))
def test_a_statement_does_not_grow_with_its_lists(duckdb_engine: Engine, tmp_path: Path, kind: str) -> None:
    stream = conditions(1)[kind][0]
    source = HandMade(tmp_path, stream)
    few, many = (statement_of(*conditions(count)[kind], source) for count in (FEW, MANY))
    assert size_of(many) == size_of(few)
    assert duckdb_engine.query(many).num_rows <= 1


@pytest.mark.parametrize("operator", [Operator.IN, Operator.NOTIN])
@pytest.mark.parametrize("kind", [ValueType.STRING, ValueType.INTEGER, ValueType.PRICE, ValueType.DATE])
def test_nor_with_the_values_of_a_vendors_condition(
    duckdb_engine: Engine, tmp_path: Path, kind: ValueType, operator: Operator
) -> None:
    """Of dates each day is all of its minutes."""
    source = HandMade(tmp_path, APP_EVENTS)

    def statement(count: int) -> Statement:
        condition = Condition("m", kind, operator, tuple(_values(kind, count)))
        asked = EventStatistics("X", "e", START, START + 3_600_000_000, (condition,))
        asked_of = statistics_question(Account(1, "acme", "Acme"), asked)
        return render(asked_of, source.snapshot(APP_EVENTS, "acme"), CAPABILITIES)

    few, many = statement(FEW), statement(MANY)
    assert size_of(many) == size_of(few)
    assert duckdb_engine.query(many).num_rows == 0


def _values(kind: ValueType, count: int) -> list[Value]:
    if kind is not ValueType.DATE:
        return [Value(str(number), str(number)) for number in range(count)]
    days = [(date(1980, 1, 1) + timedelta(number)).isoformat() for number in range(count)]
    return [Value(f"{day} 00:00", f"{day} 23:59") for day in days] + [
        Value(f"{day} 12:00", f"{day} 12:00") for day in days
    ]


def test_a_long_list_finds_what_is_in_it(duckdb_engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, PLAYLOGS)
    source.compacted([{"player_id": player, "media_id": 1, "played_at": START} for player in (5, 19_999, 20_000)])
    question = Question(PLAYLOGS, "acme", (Metric("rows"),), where=OneOf("player_id", tuple(range(MANY))))
    assert Queries(duckdb_engine, source).answer(question).table["rows"].to_pylist() == [2]
