"""The question behind a detailed report: docs/vendors/fouryousee.md#7."""

from __future__ import annotations

import msgspec

from airtally.accounts.accounts import Account
from airtally.reports.requests import PlayFilter
from airtally.sql.filters import AllOf, OneOf
from airtally.streams import PLAYLOGS
from airtally.vendors.fouryousee.detailed import plays_of

ACCOUNT = Account(1, "acme", "Acme")
FILTER = PlayFilter("2026-10-01", "08:00:00", "2026-10-02", "07:59:59")


def test_a_line_has_the_keys_of_the_vendor_in_its_order() -> None:
    extract = plays_of(ACCOUNT, FILTER)
    assert [key for key, _ in extract.line.fields] == ["account", "date", "time", "playerId", "mediaId", "ip", "type"]
    assert (extract.stream, extract.account) == (PLAYLOGS, "acme")


def test_the_interval_and_the_order_are_the_filters() -> None:
    newest = plays_of(ACCOUNT, FILTER)
    assert (newest.start_us, newest.end_us, newest.descending) == (FILTER.start_us, FILTER.end_us, True)
    assert not plays_of(ACCOUNT, msgspec.structs.replace(FILTER, sort=1)).descending


def test_an_empty_list_means_all_and_both_lists_must_be_met() -> None:
    assert plays_of(ACCOUNT, FILTER).where == AllOf(())
    both = msgspec.structs.replace(FILTER, media_id=(48, 51), player_id=(2,))
    assert plays_of(ACCOUNT, both).where == AllOf((OneOf("media_id", (48, 51)), OneOf("player_id", (2,))))
    assert plays_of(ACCOUNT, msgspec.structs.replace(both, media_id=())).where == AllOf((OneOf("player_id", (2,)),))
