"""Rows outside a statement's bounds change nothing of its answer, whatever its conditions."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.kit.time import DAY_US, from_datetime
from airtally.sql.dsl.bounds import EVER, TimeBounds, kept_times, time_bounds
from airtally.sql.dsl.statement import checked

NOW_US = 1_790_000_000_000_000  # 2026-09-21 14:13:20 UTC
HOUR_US = DAY_US // 24


def bounds(statement):
    return time_bounds(checked(statement, {"events", "others"}).tree, "events", "time", NOW_US)


def at(text):
    from datetime import UTC, datetime

    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("condition", "start", "end"),
    [
        ("time >= '2026-09-20' AND time < '2026-09-21'", "2026-09-20", "2026-09-21"),
        ("'2026-09-20' <= time AND TIMESTAMP '2026-09-21 10:30:00' > time", "2026-09-20", "2026-09-21 10:30:00"),
        (
            "(time > DATE '2026-09-20') AND n = 1 AND (time <= '2026-09-20T10:00:00Z')",
            "2026-09-20 00:00:00.000001",
            None,
        ),
        ("events.time >= CAST('2026-09-20' AS TIMESTAMPTZ)", "2026-09-20", None),
        ("time >= now() - INTERVAL 7 DAYS", "2026-09-14 14:13:20", None),
        ("time >= current_date - INTERVAL '2 hours' AND time < today()", "2026-09-20 22:00:00", "2026-09-21"),
        ("time < current_timestamp", None, "2026-09-21 14:13:20"),
    ],
)
def test_conditions_that_bound(condition, start, end):
    found = bounds(f"SELECT count(*) FROM events WHERE {condition}")
    assert found.start_us == (None if start is None else at(start))
    assert end is None or found.end_us == at(end)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM events",
        "SELECT count(*) FROM events WHERE time >= '2026-09-20' OR n = 1",
        "SELECT count(*) FROM events WHERE NOT time >= '2026-09-20'",
        "SELECT count(*) FROM events WHERE time >= '20 September'",
        "SELECT count(*) FROM events WHERE time >= '2026-02-30'",
        "SELECT count(*) FROM events WHERE time >= '2026-09-20 00:00:00+02:00'",
        "SELECT count(*) FROM events WHERE time >= CAST('2026-09-20 10:00:00' AS DATE)",
        "SELECT count(*) FROM events WHERE time >= now() - INTERVAL 1 MONTH",
        "SELECT count(*) FROM events WHERE date_trunc('day', time) = '2026-09-20'",
        "SELECT count(*) FROM events, others WHERE time >= '2026-09-20'",
        "SELECT count(*) FROM events AS e(n, time) WHERE time >= '2026-09-20'",
        "SELECT count(*) FROM others ASOF JOIN events ON others.time <= events.time WHERE events.time >= '2026-09-20'",
        "SELECT count(*) FROM others WHERE time >= '2026-09-20'",
        "SELECT count(*) FROM events WHERE time BETWEEN SYMMETRIC '2026-09-20' AND '2026-09-19'",
        "SELECT count(*) FROM events WHERE others.time >= '2026-09-20'",
        "SELECT count(*) FROM (SELECT * FROM events) AS e WHERE e.time >= '2026-09-20'",
        "SELECT (SELECT count(*) FROM events), count(*) FROM events WHERE time >= '2026-09-20'",
    ],
)
def test_conditions_that_do_not(statement):
    assert bounds(statement) == EVER


def test_a_table_that_stands_twice_is_needed_for_both():
    found = bounds(
        "SELECT count(*) FROM events a JOIN events b USING (n) "
        "WHERE a.time >= '2026-09-10' AND a.time < '2026-09-12' AND b.time >= '2026-09-14' AND b.time < '2026-09-15'"
    )
    assert found == TimeBounds(at("2026-09-10"), at("2026-09-15"))


MOMENTS = st.sampled_from(
    [
        *("'2026-09-19'", "DATE '2026-09-20'", "TIMESTAMP '2026-09-20 12:00:00'", "'2026-09-21T06:30:00Z'"),
        *("TIMESTAMPTZ '2026-09-20 01:00:00'", "now() - INTERVAL 30 HOURS", "current_date - INTERVAL '1 day'"),
        *("now() + INTERVAL 1 WEEK", "today()", "now() - INTERVAL 1 MONTH", "others.time", "(DATE '2026-09-20')"),
    ]
)
COMPARED = st.builds("{} {} {}".format, st.sampled_from(["e.time", "time", "others.time"]), st.sampled_from(["<", "<=", ">", ">=", "=", "<>"]), MOMENTS)  # fmt: skip
BETWEEN = st.builds("e.time BETWEEN {} {} AND {}".format, st.sampled_from(["", "", "SYMMETRIC"]), MOMENTS, MOMENTS)
CONDITIONS = st.recursive(
    COMPARED | BETWEEN | st.just("e.n % 2 = 0"),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "AND", "OR"]), inner)
        | st.builds("NOT ({})".format, inner)
    ),
    max_leaves=5,
)
JOINS = st.sampled_from(
    [
        *("{t} AS e", "{t} AS e LEFT JOIN others ON e.n = others.n", "others RIGHT JOIN {t} AS e ON e.n = others.n"),
        *("{t} AS e FULL JOIN others ON e.time = others.time", "{t} AS e, others"),
        *("others ASOF JOIN {t} AS e ON others.time <= e.time", "others LEFT JOIN {t} AS e ON e.n = others.n"),
    ]
)


@pytest.fixture(scope="module")
def engine():
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    times = "(SELECT make_timestamptz(1_789_600_000_000_000 + 7_777_000_000 * n) AS time, n FROM range(120) AS _(n))"
    connection.execute(f"CREATE TABLE others AS SELECT * FROM {times} WHERE n % 7 = 0")
    connection.execute(f"CREATE TABLE all_rows AS SELECT * FROM {times}")
    yield connection
    connection.close()


@given(JOINS, CONDITIONS)
def test_what_is_left_out_changes_nothing(engine, joined, condition):
    statement = (
        f"SELECT count(*) AS a, sum(e.n) AS b, max(e.time) AS c FROM {joined.format(t='events')} WHERE {condition}"
    )
    found = bounds(statement)
    text = checked(statement, {"events", "others"}).rendered({}, NOW_US)
    low, high = (found.start_us or 0) // DAY_US * DAY_US, found.end_us or 1 << 60
    kept = f"(SELECT * FROM all_rows WHERE epoch_us(time) >= {low} AND epoch_us(time) < {high})"
    try:
        whole = engine.execute(text.replace('"events"', '"all_rows"')).fetchall()
    except duckdb.BinderException:  # `time` is of both tables, or others is not there
        return
    assert engine.execute(text.replace('"events"', kept)).fetchall() == whole


@given(CONDITIONS.filter(lambda condition: "others" not in condition))
def test_a_query_that_keeps_to_the_times_makes_their_conditions_needless(engine, condition):
    statement = f"SELECT count(*) AS a, sum(e.n) AS b, max(e.time) AS c FROM events AS e WHERE {condition}"
    found = checked(statement, {"events"})
    times = kept_times(found.tree, "events", "time", NOW_US)
    whole = engine.execute(found.rendered({}, NOW_US).replace('"events"', '"all_rows"')).fetchall()
    if times is None:
        assert bounds(statement) == EVER
        return
    low, high = times.start_us or 0, times.end_us or 1 << 60
    kept = f"(SELECT * FROM all_rows WHERE epoch_us(time) >= {low} AND epoch_us(time) < {high})"
    text = found.rendered({}, NOW_US, {"events": "time"})
    assert engine.execute(text.replace('"events"', kept)).fetchall() == whole


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ("time >= '2026-09-20' AND n = 1 AND time < now()", 'TRUE AND "n" = 1 AND TRUE'),
        ("time BETWEEN '2026-09-20' AND '2026-09-21'", "TRUE"),
        ("time BETWEEN '2026-09-20' AND max_time", '"time" BETWEEN \'2026-09-20\' AND "max_time"'),
        ("time > '2026-09-20' AND (time < '2026-09-22' OR n = 1)", 'TRUE AND ("time" < \'2026-09-22\' OR "n" = 1)'),
    ],
)
def test_only_what_the_query_keeps_to_is_left_out(condition, left):
    statement = checked(f"SELECT count(*) AS a FROM events WHERE {condition}", {"events"})
    assert statement.rendered({}, NOW_US, {"events": "time"}).endswith(f" WHERE {left}")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) AS a FROM events e LEFT JOIN others o ON e.n = o.n WHERE e.time >= '2026-09-20'",
        "SELECT a.n FROM events a WHERE a.time >= '2026-09-20' UNION ALL SELECT n FROM events",
        "SELECT count(*) AS a FROM events WHERE n = 1",
    ],
)
def test_a_table_that_does_not_stand_alone_keeps_its_conditions(statement):
    assert kept_times(checked(statement, {"events", "others"}).tree, "events", "time", NOW_US) is None


@pytest.mark.parametrize("sign", ["-", "+"])
def test_thousands_of_steps_in_brackets_are_counted(sign):
    """As many as a statement can have: they are followed without recursion."""
    steps = f" {sign} INTERVAL 1 SECOND"
    condition = "'2026-09-20 00:00:00'::TIMESTAMP"
    for _ in range(38):
        condition = f"({condition}{steps * 60})"
    moved = (1 if sign == "+" else -1) * 38 * 60 * 1_000_000
    assert bounds(f"SELECT 1 AS a FROM events WHERE time >= {condition}") == TimeBounds(at("2026-09-20") + moved, None)
