"""Ids without regard to case: the letters A to Z alone, everywhere alike."""

# ruff: noqa: RUF001 (letters that look alike are what is tested)

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote

import pytest

from airtally.background import rebuilder_of
from airtally.rollups import rebuild
from airtally.streams import AD_EVENTS
from fixtures.insights import A1, A3, Advertiser

#: Pairs that some library's folding takes for one and the letters A to Z do not.
TWO = [
    ("ΛΟΓΟΣ", "λογος"),
    ("ΛΟΓΟΣ", "λογοσ"),
    ("λογος", "λογοσ"),
    ("Straße", "STRASSE"),
    ("ẞ-1", "ß-1"),
    ("İd", "i̇d"),
    ("İd", "id"),
    ("ı-2", "I-2"),
    ("ſ-3", "S-3"),
    ("\u212a-4", "k-4"),
    ("Ǆ", "ǆ"),
    ("Ǆ", "ǅ"),
    ("ÉTÉ", "été"),
    ("Ａ", "ａ"),
    ("ﬀ", "FF"),
]
#: And those that are one.
ONE = [
    ("ΛAb", "ΛaB"),
    ("ÉtÉ-Z", "ÉTÉ-z"),
    ("A1-ß", "a1-ß"),
    ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"),
]
AT = "2026-11-21T02:00:00Z"
EVERYWHERE = ["buffered", "flushed", "rolled up"]

Both = tuple[Advertiser, Advertiser]


def click(group: str, count: int) -> dict[str, Any]:
    return {"ad_group_id": group, "time": AT, "kind": "paid_click", "count": count}


def declare(advertiser: Advertiser, *groups: str) -> None:
    advertiser.send("ad_groups", *(A3 | {"ad_group_id": each} for each in groups))


def clicks(advertiser: Advertiser, group: str) -> int:
    answer = advertiser.get(quote(group), "time_preset=yesterday")
    assert answer.status_code == 200, answer.text
    assert list(answer.json()["data"]) == [group]
    return int(answer.json()["data"][group]["insights"]["paid_clicks"][0][1])


def move(services: Any, where: str) -> None:
    if where != "buffered":
        services.storage.event_store.flush()
    if where == "rolled up":
        rebuilder_of(services).rebuild(services.storage.lake.table(AD_EVENTS), AD_EVENTS.rollups[0], rebuild.EAGER)


@pytest.mark.parametrize("where", EVERYWHERE)
def test_other_letters_are_compared_exactly(fixture_accounts: Both, where: str) -> None:
    first, second = fixture_accounts
    mark = secrets.token_hex(4)
    pairs = [(f"{mark}-{place}-{one}", f"{mark}-{place}-{two}") for place, (one, two) in enumerate(TWO)]
    declare(first, *(one for one, _ in pairs))
    declare(second, *(two for _, two in pairs))
    for one, two in pairs:
        first.send("ad_events", click(one, 7), click(two, 1))
        second.send("ad_events", click(two, 11))
    move(first.server.services, where)
    for one, two in pairs:
        assert (clicks(first, one), clicks(second, two)) == (7, 11)
        assert (first.get(quote(two)).status_code, second.get(quote(one)).status_code) == (403, 403)
        (found,) = first.native.ask(stream="ad_events", metrics=["count"], filter={"ad_group_id": one}).json()["rows"]
        assert found == {"count": 1}


@pytest.mark.parametrize("where", EVERYWHERE)
def test_a_to_z_are_one_with_a_to_z(fixture_accounts: Both, where: str) -> None:
    first, second = fixture_accounts
    mark = secrets.token_hex(4)
    for place, (one, two) in enumerate(ONE):
        one, two = f"{mark}-{place}-{one}", f"{mark}-{place}-{two}"  # noqa: PLW2901 (an id of this test alone)
        declare(first, one)
        first.send("ad_groups", A3 | {"ad_group_id": two, "name": "again"})
        first.send("ad_events", click(one, 7), click(two, 1))
        move(first.server.services, where)
        assert clicks(first, one) == clicks(first, two) == 8
        assert first.get(quote(two)).json()["data"][two]["metadata"]["name"] == "again"
        refused = second.native.send("ad_groups", [A3 | {"ad_group_id": two}]).json()["errors"]
        assert [error["error"] for error in refused] == ["belongs to another account"]


def test_the_clicks_of_the_greek_word(fixture_accounts: Both) -> None:
    first, second = fixture_accounts
    declare(first, "ΛΟΓΟΣ")
    first.send("ad_events", click("ΛΟΓΟΣ", 7))
    declare(second, "λογος")
    assert clicks(first, "ΛΟΓΟΣ") == 7
    assert clicks(second, "λογος") == 0


def test_a_group_and_one_of_another_spelling_are_two_records(fixture_accounts: Both) -> None:
    first, _ = fixture_accounts
    first.send("ad_groups", *(A3 | {"ad_group_id": each, "name": each} for each in ("Öl", "öl", "öL")))
    first.send("ad_groups", {"ad_group_id": "öl", "is_deleted": 1})
    assert [first.get(quote(each)).status_code for each in ("Öl", "öl", "öL")] == [200, 404, 404]


def test_a_secondary_offer_is_found_by_its_exact_letters(fixture_accounts: Both) -> None:
    first, _ = fixture_accounts
    first.send(
        "ad_groups",
        A1 | {"ad_group_id": "Zwei", "secondary_offer_id": "É-2"},
        A1 | {"ad_group_id": "é-2", "secondary_offer_id": "x"},
        A1 | {"ad_group_id": "É-2", "secondary_offer_id": "x"},
    )
    links = {each: "rel" in first.get(quote(each)).json()["data"][each] for each in ("Zwei", "é-2", "É-2")}
    assert links == {"Zwei": True, "é-2": True, "É-2": False}


def test_many_ids_in_a_filter(fixture_accounts: Both) -> None:
    """A long list is joined with instead of being bound."""
    first, _ = fixture_accounts
    mark = secrets.token_hex(4)
    first.send("ad_events", *(click(f"{mark}{each}", 1) for each in ("ΣA", "σA", "Σa")))
    for more in (0, 200):
        asked = [f"{mark}Σa", *(f"{mark}{number}" for number in range(more))]
        answer = first.native.ask(stream="ad_events", filter={"ad_group_id": asked}, dimensions=["ad_group_id"])
        assert answer.json()["rows"] == [{"ad_group_id": f"{mark}Σa", "count": 2}]
