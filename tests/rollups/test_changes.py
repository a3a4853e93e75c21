"""The log that tells which days changed: read late, lost in part, written by others, put back."""

from __future__ import annotations

import shutil
import threading

from airtally.streams import AD_EVENTS
from fixtures.clicks import click, counted


def test_what_the_log_lost_counts_as_changed(home):
    """A process whose reading, and the store's, end before the commits that are left."""
    home.send(AD_EVENTS, home.acme, [click(4), click(25)])
    home.flush()
    table = home.services.storage.lake.table(AD_EVENTS)
    handle = table.open()
    handle.create_checkpoint()
    for version in range(handle.version() + 1):
        (table.storage.folder / "_delta_log" / f"{version:020d}.json").unlink()
    home.restart()
    assert counted(home) == 22
    assert home.rebuild(AD_EVENTS) > 0
    assert counted(home) == 22
    assert home.rebuild(AD_EVENTS) == 0


def test_the_log_is_read_before_it_is_cleaned(home):
    home.send(AD_EVENTS, home.acme, [click(4)])
    home.flush()
    rebuilder, table = home.rebuilder(), home.services.storage.lake.table(AD_EVENTS)
    rebuilder.expiry.read_log(table)
    home.restart()
    changes = home.services.storage.rollups.changed_days(home.services.storage.lake.table(AD_EVENTS))
    view = home.services.storage.lake.table(AD_EVENTS).newest()
    assert changes.of_account("acme", view)["2026-10-05"] == view.version


def test_commits_of_others_count_too(home):
    """Of a writer that does not say what it changed."""
    table = home.services.storage.lake.table(AD_EVENTS)
    table._changed = lambda _: {}
    home.send(AD_EVENTS, home.acme, [click(4)])
    home.flush()
    assert counted(home) == 21
    home.rebuild(AD_EVENTS)
    assert counted(home) == 21


def test_a_lake_put_back_to_an_earlier_state(home, tmp_path):
    """The metadata store is newer than the lake, as after a restore in the wrong order."""
    saved = tmp_path / "saved"
    home.close()
    lake = home._settings.home / "lake"
    shutil.copytree(lake, saved)
    home.open()
    for day in (4, 5, 6):
        home.send(AD_EVENTS, home.acme, [click(day)])
        home.flush()
        home.rebuild(AD_EVENTS)
    home.close()
    shutil.rmtree(lake / "ad_events")
    shutil.copytree(saved / "ad_events", lake / "ad_events")
    home.open()
    assert counted(home) == 20
    home.send(AD_EVENTS, home.acme, [click(4)])
    home.flush()
    assert counted(home) == 21
    home.rebuild(AD_EVENTS)
    assert counted(home) == 21
    assert home.rebuild(AD_EVENTS) == 0


def changed_days(home):
    table = home.services.storage.lake.table(AD_EVENTS)
    return home.services.storage.rollups.changed_days(table), table.newest()


def test_a_reader_waits_while_another_reads_the_log(home):
    """It would otherwise see the days of half a commit."""
    changes, view = changed_days(home)
    found = []
    reader = threading.Thread(target=lambda: found.append(changes.of_account("rival", view)))
    with changes._lock:
        reader.start()
        reader.join(0.2)
        assert reader.is_alive()
    reader.join(10)
    assert found == [{"2026-10-04": view.version}]


def test_forgotten_days_stay_forgotten_after_a_restart(home):
    changes, view = changed_days(home)
    changes.keep(view)
    changes.forget("2026-10-04")
    before = changes.by_account(view)
    assert (min(before["acme"]), sorted(before["rival"])) == ("2026-10-04", ["2026-10-04"])
    changes.forget("2026-10-05")
    assert set(changes.by_account(view)) == {"acme"}
    home.restart()
    changes, view = changed_days(home)
    assert min(changes.of_account("acme", view)) == "2026-10-05"
    assert changes.of_account("rival", view) == {}
