"""The listing of files: its items, its bounds in every form, its pages as one closed set."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from airtally.kit.clock import MovableClock
from fixtures.slate import D, Partner, tail

EARLY, MIDDLE, LATE = "2026-11-22T00:00:00Z", "2026-11-22T04:00:00Z", "2026-11-22T08:00:00Z"


@pytest.fixture
def files(partner: Partner) -> Partner:
    for stamp in (MIDDLE, LATE, EARLY):
        partner.file(stamp)
    return partner


def stamps(partner: Partner, query: str) -> list[str]:
    page = partner.listing(f"{D}?{query}")
    found = [each["modifiedDate"].replace(".000", "") for each in page["data"]]
    assert page["total"] == len(found)
    return found


def test_an_item(partner: Partner) -> None:
    file_id = partner.file(LATE, b"id,title\n1,A\n2,B\n")
    [item] = partner.listing(D)["data"]
    url = item.pop("downloadUrl")
    assert url.startswith(
        f"{partner.server.url}/files/{file_id}?X-Amz-Date=20261122T100000Z&X-Amz-Expires=3600&X-Amz-S"
    )
    assert list(item.items()) == [
        ("id", file_id),
        ("name", "subscription_event_log_20261122T080000Z_000.csv"),
        ("numRows", 2),
        ("reportDateBegin", "2026-11-22"),
        ("reportDateEnd", "2026-11-22"),
        ("modifiedDate", "2026-11-22T08:00:00.000Z"),
        ("expirationDate", "2026-11-22T11:00:00.000Z"),
    ]


def test_the_order(files: Partner) -> None:
    files.file(LATE, part=1)
    assert [each["id"][-3:] for each in files.listing(D)["data"]] == ["000", "000", "000", "001"]
    assert stamps(files, "") == [EARLY, MIDDLE, LATE, LATE]


@pytest.mark.parametrize(
    "start",
    [
        "2026-11-22T04:00:00Z",
        "2026-11-22t04:00:00z",
        "2026-11-22T04:00:00.000Z",
        "2026-11-22T04:00:00.999999999Z",
        "2026-11-22T04:00:00.Z",
        "2026-11-22T04:00:00",
        "2026-11-22T04:00:00.5",
        "2026-11-22T04:00:00%2B00:00",
        "2026-11-22T04:00:00+00:00",
        "2026-11-22T04:00:00.123456%2B00:00",
        "2026-11-22T00:00:01-04:00",
        "2026-11-22T09:45:00%2B05:45",
        "2026-11-22T09:45:00+05:45",
        "2026-11-22T03:59:59.999Z",
    ],
)
def test_forms_of_a_start(files: Partner, start: str) -> None:
    late = start.startswith("2026-11-22T00:00:01-04")
    assert stamps(files, f"startDateTime={start}") == ([LATE] if late else [MIDDLE, LATE])


def test_a_bare_date(files: Partner) -> None:
    assert stamps(files, "startDateTime=2026-11-22") == [EARLY, MIDDLE, LATE]
    assert stamps(files, "endDateTime=2026-11-22") == [EARLY]


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "",
        "2026-11-31",
        "2026-11-22T25:00:00Z",
        "2026-11-22T10:00:60Z",
        "2026-11-22T10:00Z",
        "2026-11-22 10:00:00",
        "2026-11-22T10:00:00.0123456789Z",
        "2026-11-22T10:00:00%2B24:00",
        "2026-11-22T10:00:00Zulu",
        "1795341600",
        "0000-01-01",
        "%00",
        "%D9%A2026-11-22",
    ],
)
def test_times_that_cannot_be_read(files: Partner, text: str) -> None:
    for name in ("startDateTime", "endDateTime"):
        answer = files.get(f"{D}?{name}={text}")
        assert answer.status_code == 400, text
        assert answer.json()["code"] == "InvalidParameterException"
        assert name in answer.json()["message"]


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00%2B14:00", "1969-12-31", "9999-12-31T23:59:59-14:00", "9999-01-01"]
)
def test_times_at_the_ends_of_the_calendar(files: Partner, text: str) -> None:
    old = text < "2000"
    assert stamps(files, f"startDateTime={text}") == ([EARLY, MIDDLE, LATE] if old else [])
    assert stamps(files, f"endDateTime={text}") == ([] if old else [EARLY, MIDDLE, LATE])
    assert files.get(f"{D}?startDateTime={text}&endDateTime={text}&limit=1&offset=7").status_code == 200


def test_both_bounds_are_included(files: Partner) -> None:
    assert stamps(files, f"startDateTime={MIDDLE}&endDateTime={MIDDLE}") == [MIDDLE]
    assert stamps(files, f"startDateTime={LATE}&endDateTime={MIDDLE}") == []


def test_a_file_that_is_yet_to_come(own_partner: Callable[..., Partner], slate_clock: MovableClock) -> None:
    partner = own_partner()
    partner.file("2026-11-22T10:00:01Z")
    far = f"{D}?endDateTime=2030-01-01T00:00:00Z"
    assert partner.listing(far)["total"] == 0
    slate_clock.advance(0.9)
    assert partner.listing(far)["total"] == 0
    slate_clock.advance(0.1)
    assert partner.listing(far)["total"] == 1


def test_next_carries_the_bounds(files: Partner) -> None:
    page = files.listing(f"{D}?limit=1")
    assert tail(page["next"]) == (
        "startDateTime=2024-11-22T10%3A00%3A00Z&endDateTime=2026-11-22T10%3A00%3A00Z&offset=1&limit=1"
    )
    given = files.listing(f"{D}?startDateTime=2026-11-22T02:00:00%2B02:00&endDateTime=2026-11-22T09:00:00.5Z&limit=2")
    assert tail(given["next"]) == (
        "startDateTime=2026-11-22T00%3A00%3A00Z&endDateTime=2026-11-22T09%3A00%3A00Z&offset=1&limit=2"
    )


def test_pages_are_of_one_closed_set(own_partner: Callable[..., Partner], slate_clock: MovableClock) -> None:
    """Nothing joins that is published meanwhile, and nothing leaves that grows too old meanwhile."""
    partner = own_partner()
    for stamp in ("2024-11-22T10:00:00Z", EARLY, MIDDLE, LATE):
        partner.file(stamp)
    first = partner.listing(f"{D}?limit=2&endDateTime=2030-01-01")
    slate_clock.advance(600)
    partner.file("2026-11-22T10:05:00Z")
    second = partner.listing(first["next"])
    assert (first["total"], second["total"], second["next"]) == (4, 4, None)
    ids = [each["id"] for each in first["data"] + second["data"]]
    assert len(set(ids)) == 4
    assert partner.listing(D)["total"] == 4


def test_what_is_older_than_two_years(files: Partner) -> None:
    files.file("2024-11-01T00:00:00Z")
    assert stamps(files, "startDateTime=2023-01-01T00:00:01Z") == [EARLY, MIDDLE, LATE]
    assert stamps(files, "startDateTime=2023-01-01&endDateTime=2024-11-21") == []


def test_deleted_files_are_not_listed(files: Partner) -> None:
    from sqlalchemy import update

    from airtally.database.tables import dataset_files

    [item] = files.listing(f"{D}?startDateTime={LATE}")["data"]
    of = [each.row_id for each in files.datasets]
    with files.server.services.store.begin() as connection:
        gone = update(dataset_files).where(dataset_files.c.file_id == item["id"], dataset_files.c.dataset_id.in_(of))
        connection.execute(gone.values(deleted_at=1))
    assert stamps(files, "") == [EARLY, MIDDLE]
    answer = httpx.get(item["downloadUrl"])
    assert (answer.status_code, "NoSuchKey" in answer.text) == (404, True)


def test_each_dataset_has_its_own_files(files: Partner) -> None:
    assert files.listing(D.replace("data987", "data986"))["total"] == 0


@pytest.mark.parametrize("mode", ["page", "item"])
def test_followers_of_files(own_partner: Callable[..., Partner], mode: str) -> None:
    partner = own_partner(slate_offset_mode=mode)
    made = [partner.file(f"2026-11-{day:02}T{hour:02}:00:00Z") for day in (20, 21) for hour in range(0, 24, 4)]
    assert [each["id"] for each in partner.pages(f"{D}?limit=5&startDateTime=2026-11-20")] == made
    first = partner.listing(f"{D}?limit=5")
    assert tail(first["next"]).endswith("offset=1&limit=5" if mode == "page" else "offset=5&limit=5")


def test_how_good_a_listing_is(files: Partner) -> None:
    files.server.services.datasets.publisher.publication_store.enrol()
    headers = files.get(D).headers
    assert headers["airtally-data-through"] == "2026-11-22T08:00:00.000000Z"
    assert headers["airtally-generated-at"] == "2026-11-22T10:00:00.000000Z"
    files.file("2026-11-22T10:00:01Z")
    assert "airtally-data-through" not in files.get(D).headers
