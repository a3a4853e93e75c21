"""Small accounts share files of segments: each is built, read, changed, removed and fails for itself alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airtally.kit import metrics
from airtally.kit.errors import LimitExceeded
from airtally.kit.faults import Faults
from airtally.query.question import Dimension, Function, Metric, Question
from airtally.rollups import build, due, segment_files
from airtally.rollups.rebuild import EAGER
from airtally.rollups.removal import remove_account
from airtally.streams import AD_EVENTS
from fixtures.clicks import QUARTERS, START, click, counted, month
from fixtures.rollups import FEW

SLUGS = tuple(f"shop-{number}" for number in range(5))


class Dies(Exception):
    """The process ends here."""


class Deadly(Faults):
    """Raises at one point."""

    point: str | None = None

    def reach(self, point: str) -> None:
        if point == self.point:
            raise Dies(point)


@pytest.fixture
def shops(new_home):
    """Five accounts, the first with one click a day on ten days, each other with one more; all in segments."""
    home = new_home()
    home.shops = {slug: home.account(slug) for slug in SLUGS}
    for extra, slug in enumerate(SLUGS):
        home.send(AD_EVENTS, home.shops[slug], [click(day, ad_group_id=slug) for day in range(10 + extra)])
    home.flush()
    home.rebuild(AD_EVENTS)
    return home


def segments(home):
    return home.services.storage.rollups.table(QUARTERS).newest()


def late(home, *slugs: str, day: int = 3) -> None:
    for slug in slugs:
        home.send(AD_EVENTS, home.shops[slug], [click(day, ad_group_id=slug, kind="install")])
    home.flush()


def groups(home, slug: str) -> list[str]:
    """The ad groups that an account's figures are of."""
    asked = Question(
        AD_EVENTS, slug, (Metric("events"),), dimensions=(Dimension("ad_group_id"),), start_us=START,
        end_us=START + 31 * 86_400_000_000,
    )  # fmt: skip
    return [row["ad_group_id"] for row in home.ask(asked)]


def by_statement(home, slug: str) -> list[tuple[str, int]]:
    text = "SELECT ad_group_id, sum(events) FROM ad_events_quarter GROUP BY ALL ORDER BY ALL"
    table = home.services.sql.answer(slug, text).table
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def test_accounts_share_one_file_and_each_sees_its_rows_alone(shops):
    [file] = segments(shops).files
    assert list(file.claims.rows) == list(SLUGS)
    for extra, slug in enumerate(SLUGS):
        assert counted(shops, slug) == 10 + extra
        assert groups(shops, slug) == [slug]
        assert by_statement(shops, slug) == [(slug, 10 + extra)]
    assert counted(shops, "nobody") == 0
    assert by_statement(shops, "nobody") == []


def test_a_change_of_one_account_makes_a_file_of_its_rows_alone(shops):
    [before] = segments(shops).files
    late(shops, "shop-1")
    assert shops.rebuild(AD_EVENTS, FEW) == 1
    assert [dict(file.claims.rows) for file in segments(shops).files if file.name != before.name] == [{"shop-1": 1}]
    assert month(shops, "shop-0").day_files == {}
    assert [counted(shops, slug) for slug in SLUGS] == [10, 12, 12, 13, 14]


def test_a_month_file_ends_what_shared_day_files_have(shops, clock):
    """Day files stay for the accounts that still read them; a file that nobody reads goes with the last."""
    late(shops, *SLUGS)
    shops.rebuild(AD_EVENTS, FEW)
    assert len(segments(shops).files) == 2
    late(shops, "shop-2", day=4)
    late(shops, "shop-2", day=5)
    shops.rebuild(AD_EVENTS, replace(FEW, day_files=0))
    assert month(shops, "shop-2").day_files == {}
    assert list(month(shops, "shop-1").day_files) == ["2026-10-04"]
    assert [counted(shops, slug) for slug in SLUGS] == [11, 12, 15, 14, 15]
    clock.advance(3601)
    assert shops.rebuild(AD_EVENTS, replace(FEW, merge_seconds=3600)) == 4
    others = [slug for slug in SLUGS if slug != "shop-2"]
    assert sorted(list(file.claims.rows) for file in segments(shops).files) == [others, ["shop-2"]]  # nothing dead
    assert [counted(shops, slug) for slug in SLUGS] == [11, 12, 15, 14, 15]


def test_a_large_account_has_its_own_file(new_home, monkeypatch):
    monkeypatch.setattr(segment_files, "OWN_ROWS", 4)
    monkeypatch.setattr(segment_files, "SHARED_ROWS", 5)
    home = new_home()
    for slug, days in (("aa", 3), ("bb", 2), ("big", 9), ("cc", 1), ("dd", 2)):
        home.send(AD_EVENTS, home.account(slug), [click(day) for day in range(days)])
    home.flush()
    home.rebuild(AD_EVENTS)
    assert sorted(sorted(file.claims.rows) for file in segments(home).files) == [["aa", "bb"], ["big"], ["cc", "dd"]]
    assert [counted(home, slug) for slug in ("aa", "bb", "big", "cc", "dd")] == [3, 2, 9, 1, 2]


def test_only_the_account_fails_that_cannot_be_built(shops, monkeypatch):
    figures = build._cell_figures

    def limited(engine, task, days):
        if "shop-3" in task.days:
            raise LimitExceeded("too much at once")
        return figures(engine, task, days)

    late(shops, *SLUGS)
    with monkeypatch.context() as patched:
        patched.setattr(build, "_cell_figures", limited)
        with pytest.raises(LimitExceeded):
            shops.rebuild(AD_EVENTS, FEW)
    lake = shops.services.storage.lake.table(AD_EVENTS).newest().version
    current = [slug for slug in SLUGS if month(shops, slug).source_version("2026-10-04") == lake]
    assert current == [slug for slug in SLUGS if slug != "shop-3"]
    assert [counted(shops, slug) for slug in SLUGS] == [11, 12, 13, 14, 15]
    assert shops.rebuild(AD_EVENTS, FEW) == 1


def test_a_deleted_account_is_taken_out_of_shared_files(shops):
    late(shops, "shop-1", "shop-2")
    shops.rebuild(AD_EVENTS, FEW)
    table, before = shops.services.storage.rollups.table(QUARTERS), segments(shops).names
    assert sorted(remove_account(shops.services.storage.rollups, table, "shop-1")) == sorted(before)
    assert not set(before) & set(segments(shops).names)
    for file in segments(shops).files:
        assert "shop-1" not in file.claims.rows
        assert (
            b"shop-1"
            not in (shops.services.settings.home / "lake" / "_rollups" / QUARTERS.folder / file.name).read_bytes()
        )
    assert [counted(shops, slug) for slug in SLUGS if slug != "shop-1"] == [10, 13, 13, 14]
    assert remove_account(shops.services.storage.rollups, table, "shop-1") == ()


def built(home) -> None:
    home.rebuild(AD_EVENTS, FEW)


def removed(home) -> None:
    remove_account(home.services.storage.rollups, home.services.storage.rollups.table(QUARTERS), "shop-2")


@pytest.mark.parametrize(
    ("point", "act"), [("rollup.build", built), ("rollup.commit", built), ("rollup.remove", removed)]
)
def test_a_death_leaves_each_account_with_what_it_had(shops, monkeypatch, point, act):
    late(shops, "shop-0", "shop-4")
    table = shops.services.storage.rollups.table(QUARTERS)
    deadly = Deadly()
    monkeypatch.setattr(table, "faults", deadly)
    deadly.point = point
    with pytest.raises(Dies):
        act(shops)
    shops.restart()
    assert [counted(shops, slug) for slug in SLUGS] == [11, 11, 12, 13, 15]
    assert set(segments(shops).slugs) == set(SLUGS)
    assert shops.rebuild(AD_EVENTS, FEW) == 2
    assert [counted(shops, slug) for slug in SLUGS] == [11, 11, 12, 13, 15]


def test_of_two_processes_one_builds_a_shared_file(shops):
    late(shops, *SLUGS)
    planned = []

    class Beside(Faults):
        def reach(self, point: str) -> None:
            if point == "rollup.commit" and not planned:
                planned.append(point)
                assert shops.rebuild(AD_EVENTS, FEW) == 5

    shops.services.storage.rollups.table(QUARTERS).faults = Beside()
    assert shops.rebuild(AD_EVENTS, FEW) == 0
    assert [counted(shops, slug) for slug in SLUGS] == [11, 12, 13, 14, 15]
    assert len(segments(shops).files) == 2


def test_what_rests_is_not_looked_at_again(shops, monkeypatch):
    rebuilder, table = shops.rebuilder(), shops.services.storage.lake.table(AD_EVENTS)
    assert rebuilder.rebuild(table, QUARTERS, EAGER) == 0
    looked = []
    monkeypatch.setattr(shops.services.storage.rollups, "stale_days", lambda *_: looked.append(1) or ())
    assert rebuilder.rebuild(table, QUARTERS, EAGER) == 0
    assert looked == []
    late(shops, "shop-0")
    rebuilder.rebuild(table, QUARTERS, EAGER)
    assert looked


def test_files_of_few_accounts_come_together(shops, monkeypatch):
    monkeypatch.setattr(due, "_SMALL_FILES", 3)
    for slug in SLUGS[:3]:
        late(shops, slug)
        shops.rebuild(AD_EVENTS, FEW)
    assert [list(file.claims.rows) for file in segments(shops).files] == [list(SLUGS)]
    assert shops.rebuild(AD_EVENTS, FEW) == 0
    assert [counted(shops, slug) for slug in SLUGS] == [11, 12, 13, 13, 14]


def test_a_map_of_a_shared_file_gives_each_account_its_rows(shops):
    before = metrics.MAPPED_ANSWERS.labels("ad_events")._value.get()
    assert [groups(shops, slug) for slug in SLUGS] == [[slug] for slug in SLUGS]
    assert metrics.MAPPED_ANSWERS.labels("ad_events")._value.get() == before + len(SLUGS)
    assert len(list((shops.services.settings.home / "maps").rglob("*.arrow"))) == 1


def test_sums_of_a_shared_file_are_of_one_account(shops):
    asked = Question(
        AD_EVENTS, "shop-2", (Metric("clicks", Function.SUM, "count"),), start_us=START,
        end_us=START + 31 * 86_400_000_000,
    )  # fmt: skip
    assert shops.ask(asked) == shops.ask_rows(asked) == [{"clicks": 12}]
