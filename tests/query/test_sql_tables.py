"""Rollups as tables of statements: segments where they are current, rows where they are not, the same figures always."""

from __future__ import annotations

import pytest

from airtally.kit.time import DAY_US, HOUR_US, SECOND_US, to_datetime
from airtally.query.sql_tables import SQL_TABLES
from airtally.streams import AD_EVENTS
from fixtures.clicks import START, click
from fixtures.zones import during

STORED = "SELECT country, sum(events) AS events, sum(spend) AS spend FROM ad_events_quarter GROUP BY 1 ORDER BY 1"
COUNTED = "SELECT country, count(*) AS events, coalesce(sum(spend), 0) * 1000000 AS spend FROM ad_events GROUP BY 1 ORDER BY 1"
CELLS = "SELECT count(*) AS n FROM (SELECT time, ad_group_id, country FROM ad_events_quarter GROUP BY ALL HAVING count(*) > 1)"


@pytest.fixture
def home(new_home):
    home = new_home()
    home.acme, home.rival = home.account("acme"), home.account("rival")
    home.send(AD_EVENTS, home.acme, [click(day, id=f"{n}", country="BR") for day in range(5) for n in range(3)])
    home.send(AD_EVENTS, home.rival, [click(3)])
    home.flush()
    return home


def figures(home, sql, account="acme"):
    found = home.services.sql.answer(account, sql).table.to_pylist()
    return [
        tuple(None if each is None else each if isinstance(each, str) else int(each) for each in row.values())
        for row in found
    ]


def check(home, events):
    for account in ("acme", "rival"):
        assert figures(home, STORED, account) == figures(home, COUNTED, account)
        assert figures(home, CELLS, account) == [(0,)]
    assert sum(row[1] for row in figures(home, STORED)) == events


def test_from_rows_from_segments_and_from_both(home):
    """On a machine that has another zone each time: rows and segments of one zone are read in the next."""
    check(home, 15)
    with during("America/Sao_Paulo"):
        home.rebuild(AD_EVENTS)
        check(home, 15)
        home.send(AD_EVENTS, home.acme, [click(2, id="7"), click(9)])  # late and new, in the buffer
        check(home, 17)
        home.flush()
    with during("Asia/Kathmandu"):
        check(home, 17)
        home.compact(AD_EVENTS)
        check(home, 17)
        home.rebuild(AD_EVENTS)
    check(home, 17)


def test_names_and_columns_of_tables():
    assert SQL_TABLES["players_versions"].columns == SQL_TABLES["players"].columns
    assert SQL_TABLES["ad_events_quarter"].columns[:3] == ("time", "ad_group_id", "country")
    assert "playlogs_versions" not in SQL_TABLES
    assert not any(name in table.columns for table in SQL_TABLES.values() for name in ("account", "received_at", "day"))


def test_times_that_a_statement_bounds_are_kept_wherever_the_rows_lie(home):
    """Half days and whole ones, of compacted and uncompacted files and of the buffer, as Python counts them."""
    home.compact(AD_EVENTS)
    home.send(AD_EVENTS, home.acme, [click(day, id="0", country="US") for day in range(5)])
    home.flush()
    home.send(AD_EVENTS, home.acme, [click(2, id="0", time=START + 2 * DAY_US + HOUR_US), click(3, id="9")])
    times = [START + day * DAY_US + SECOND_US for day in (0, 1, 2, 3, 4) for _ in range(2)]
    times += [START + day * DAY_US + SECOND_US for day in (0, 1, 3, 3, 4)] + [START + 2 * DAY_US + HOUR_US]
    for first_us, until_us in ((0, 5 * DAY_US), (DAY_US, 3 * DAY_US), (SECOND_US + 1, 3 * DAY_US + 1), (0, SECOND_US)):
        low, high = (f"'{to_datetime(START + each):%Y-%m-%d %H:%M:%S.%f}'" for each in (first_us, until_us))
        expected = sum(first_us <= each - START < until_us for each in times)
        for bounds in (f"time >= {low} AND {high} > time", f"NOT (time < {low} OR time >= {high})"):
            assert figures(home, f"SELECT count(*) AS n FROM ad_events WHERE {bounds}") == [(expected,)]
