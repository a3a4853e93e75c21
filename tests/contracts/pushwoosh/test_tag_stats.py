"""getTagStats and its files: docs/vendors/pushwoosh.md#6."""

from __future__ import annotations

import re

import httpx
import pytest

from airtally.accounts.declared import ValueType
from fixtures.http import check_head
from fixtures.push import Push, fault


def lines_of_x(push: Push) -> str:
    return f'{push.x};sport;2\n{push.x};"a;b ""c""";1\n{push.x};news;1\n'


def test_row_30_devices_for_each_value(push: Push) -> None:
    assert push.csv(applications=[push.x]) == lines_of_x(push)


def test_row_31_all_applications_of_the_token(push: Push) -> None:
    expected = f"{push.y};sport;1\n" + lines_of_x(push)
    assert push.csv() == push.csv(applications=[]) == expected


def test_row_32_what_is_not_there(push: Push) -> None:
    for tag in ("Nope", "topics", "", None, 7):
        assert push.call("getTagStats", tag=tag) == fault("Tag not found")
    assert push.call("getTagStats", tag="Topics", applications=["ZZZZZ-00000"]) == fault("Application not found")
    for wrong in (push.x, {push.x: 1}, [push.x, None], 7):
        assert push.call("getTagStats", tag="Topics", applications=wrong) == fault("applications must be an array")


def test_a_member_of_another_account_and_one_that_is_forbidden(push: Push, other: Push) -> None:
    assert push.call("getTagStats", tag="Topics", applications=[push.x, other.x]) == fault("Application not found")
    forbidden = fault("Token restrictions forbid this operation", 403)
    assert push.call("getTagStats", tag="Topics", applications=[push.z]) == forbidden


def test_the_order_of_the_request_and_each_once(push: Push) -> None:
    found = push.csv(applications=[push.x, push.y, push.x])
    assert found == lines_of_x(push) + f"{push.y};sport;1\n"


def test_a_shared_tag_counts_in_every_application_of_the_device(other: Push) -> None:
    other.server.services.access.declared.add_tag(other.account, "Language", ValueType.STRING)
    other.tags("Language", shared=True, d1="fr", d2="fr", d3="de")
    other.send("devices", {"application": other.y, "hwid": "d1"})
    assert other.csv("Language") == f"{other.y};fr;1\n{other.x};fr;2\n{other.x};de;1\n"
    assert other.csv("Language", [other.y]) == f"{other.y};fr;1\n"


def test_values_that_spreadsheets_take_for_formulas_are_as_they_were_sent(other: Push) -> None:
    """The file is the vendor's wire: an apostrophe before them would be another value to every program."""
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "'=1", "\t=1"]
    other.server.services.access.declared.add_tag(other.account, "Formula", ValueType.STRING, application_specific=True)
    other.tags("Formula", **{f"d{at}": value for at, value in enumerate(formulas)})
    lines = other.csv("Formula", [other.x]).splitlines()
    assert sorted(lines) == sorted(f"{other.x};{value};1" for value in formulas)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (ValueType.INTEGER, (7, 7, -1), ["7;2", "-1;1"]),
        (ValueType.PRICE, (1.5, 2, 2.0), ["2.00;2", "1.50;1"]),
        (ValueType.BOOLEAN, (True, False, True), ["true;2", "false;1"]),
        (ValueType.DATE, ("2026-03-10 12:00", "2026-03-10 12:00", "2026-01-01 00:00"),
         ["2026-03-10 12:00;2", "2026-01-01 00:00;1"]),
        (ValueType.VERSION, ("1.10.0", "1.9.0", "1.9.0"), ["1.9.0;2", "1.10.0;1"]),
        (ValueType.STRING, ("é", "Z", "z"), ["Z;1", "z;1", "é;1"]),
    ],
)  # fmt: skip
def test_values_of_each_type(other: Push, kind: ValueType, values: tuple[object, ...], expected: list[str]) -> None:
    other.server.services.access.declared.add_tag(other.account, "Tag", kind, application_specific=True)
    other.tags("Tag", **{f"d{number}": value for number, value in enumerate(values)})
    assert other.csv("Tag").splitlines() == [f"{other.x};{line}" for line in expected]


def test_a_tag_that_nobody_has_is_an_empty_file(other: Push) -> None:
    other.declare()
    assert other.csv() == ""


def test_the_file_is_an_address_of_its_own(push: Push) -> None:
    result = push.results(push.call("getTagStats", tag="Topics")["response"]["request_id"])
    assert list(result) == ["fileName"]
    assert re.fullmatch(rf"{push.server.url}/files/tags/[0-9a-f]{{32}}\.csv", result["fileName"])
    whole = httpx.get(result["fileName"])
    assert (whole.headers["airtally-rows"], whole.headers["airtally-timezone"]) == ("4", "UTC")
    part = httpx.get(result["fileName"], headers={"Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, whole.content[3:10])
    for path in ("0" * 32 + ".csv", "x.csv", "..%2fmetadata.sqlite", result["fileName"].rpartition("/")[2][:-4]):
        missing = push.http.get(f"/files/tags/{path}")
        assert missing.status_code == 404
        assert "status_code" not in missing.text


def test_a_head_of_a_file(push: Push) -> None:
    url = push.results(push.call("getTagStats", tag="Topics")["response"]["request_id"])["fileName"]
    with httpx.Client() as anyone:
        assert check_head(anyone, url)["airtally-rows"] == "4"
        check_head(anyone, url, status=206, Range="bytes=3-9")
        check_head(anyone, url.replace(".csv", "0.csv"), status=404)
