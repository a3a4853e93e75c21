"""setTags and getTags: types, lists, tags that applications share, users in place of devices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airtally.query.changelog import VersionsQuery
from airtally.streams import STREAMS
from fixtures.push_devices import App

INTEGER, STRING, LIST, DATE, BOOLEAN, DECIMAL, VERSION = range(1, 8)

FITTING = [
    (INTEGER, 7, 7),
    (INTEGER, "-12", -12),
    (INTEGER, 2.0, 2),
    (INTEGER, 2**63 - 1, 2**63 - 1),
    (STRING, "fr", "fr"),
    (STRING, "", ""),
    (STRING, 1.5, "1.5"),
    (LIST, ["b", "a", "b", 1], ["b", "a", "1"]),
    (LIST, [], []),
    (DATE, "2026-03-10 00:05", "2026-03-10 00:05"),
    (DATE, "2026-03-10T23:59:59", "2026-03-10 23:59"),
    (DATE, "2026-03-10", "2026-03-10 00:00"),
    (DATE, 1773101100, "2026-03-10 00:05"),
    (DATE, "1773101100", "2026-03-10 00:05"),
    (BOOLEAN, True, True),
    (BOOLEAN, 0, False),
    (BOOLEAN, "FALSE", False),
    (DECIMAL, 9.99, 9.99),
    (DECIMAL, 3, 3.0),
    (DECIMAL, "12.345", 12.35),
    (DECIMAL, -0.005, -0.01),
    (VERSION, "1.10.2", "1.10.2"),
    (VERSION, "2.0-beta.1", "2.0-beta.1"),
    (VERSION, 3, "3"),
]
UNFIT = [
    (INTEGER, "7.5"),
    (INTEGER, 2**63),
    (INTEGER, True),
    (INTEGER, ["7"]),
    (STRING, True),
    (STRING, {"a": 1}),
    (STRING, "x" * 2049),
    (STRING, "a\0b"),
    (LIST, "sport"),
    (LIST, [["sport"]]),
    (LIST, [None]),
    (LIST, ["x"] * 1001),
    (DATE, "2026-02-30"),
    (DATE, "yesterday"),
    (DATE, -1),
    (DATE, 1e300),
    (DATE, "0000-01-01 00:00"),
    (BOOLEAN, 2),
    (BOOLEAN, "yes"),
    (BOOLEAN, [0]),
    (DECIMAL, "dear"),
    (DECIMAL, "nan"),
    (DECIMAL, "1e30"),
    (DECIMAL, True),
    (VERSION, "one"),
    (VERSION, ["1"]),
    (LIST, {"operation": "append", "value": "x"}),
    (LIST, {"operation": "replace", "value": ["x"]}),
    (LIST, {}),
    (STRING, {"operation": "append", "value": ["x"]}),
]


@pytest.mark.parametrize(("kind", "sent", "kept"), FITTING, ids=str)
def test_a_value_is_kept_in_the_form_of_its_type(app: App, kind: int, sent: Any, kept: Any) -> None:
    app.declare_tag("T", kind)
    assert app.done("setTags", hwid="d", tags={"T": sent}) is None
    held = app.tags("d")
    assert held == {"T": kept}
    assert type(held["T"]) is type(kept)


@pytest.mark.parametrize(("kind", "sent"), UNFIT, ids=lambda value: str(value)[:30])
def test_a_value_that_does_not_fit_is_skipped(app: App, kind: int, sent: Any) -> None:
    app.declare_tag("T", kind)
    app.declare_tag("Other", STRING)
    response = app.done("setTags", hwid="d", tags={"T": sent, "Other": "x"})
    assert response == {"skipped": [{"tag": "T", "reason": "Invalid value"}]}
    assert app.tags("d") == {"Other": "x"}


def test_values_replace_and_null_removes(app: App) -> None:
    app.declare_tag("T", STRING)
    for value in ("a", "b", "a"):  # within one millisecond by the server's clock, which stands still
        app.done("setTags", hwid="d", tags={"T": value})
        assert app.tags("d") == {"T": value}
    app.done("setTags", hwid="d", tags={"T": None})
    assert app.tags("d") == {}
    app.done("setTags", hwid="d", tags={"T": None})
    app.done("setTags", hwid="d", tags={"T": "a"})
    assert app.tags("d") == {"T": "a"}
    versions = app.server.services.queries.versions(VersionsQuery(STREAMS["device_tags"], app.account.slug))
    assert versions.num_rows == 5


def test_lists_are_edited(app: App) -> None:
    app.declare_tag("T", LIST)

    def edit(operation: str, *values: str) -> Any:
        app.done("setTags", hwid="d", tags={"T": {"operation": operation, "value": list(values)}})
        return app.tags("d").get("T")

    assert edit("remove", "a") is None
    assert edit("append", "a", "b") == ["a", "b"]
    assert edit("append", "b", "c") == ["a", "b", "c"]
    assert edit("remove", "a", "x") == ["b", "c"]
    assert edit("remove", "b", "c") == []
    app.done("setTags", hwid="d", tags={"T": ["z"]})
    assert edit("append", "a") == ["z", "a"]


def test_a_list_does_not_grow_without_end(app: App) -> None:
    app.declare_tag("T", LIST)
    app.done("setTags", hwid="d", tags={"T": [str(number) for number in range(1000)]})
    response = app.done("setTags", hwid="d", tags={"T": {"operation": "append", "value": ["more"]}})
    assert response == {"skipped": [{"tag": "T", "reason": "Invalid value"}]}
    assert len(app.tags("d")["T"]) == 1000


def test_many_appends_at_once_are_all_kept(app: App) -> None:
    app.declare_tag("T", LIST)

    def append(number: int) -> None:
        app.done("setTags", hwid="d", tags={"T": {"operation": "append", "value": [str(number)]}})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(24)))
    assert sorted(app.tags("d")["T"], key=int) == [str(number) for number in range(24)]


def test_a_shared_tag_shows_wherever_the_device_is_registered(app: App) -> None:
    other = app.application()
    app.declare_tag("Shared", INTEGER, shared=True)
    app.declare_tag("Own", INTEGER)
    app.done("setTags", hwid="d", tags={"Shared": 1, "Own": 1})
    assert app.tags("d", application=other) == {}
    app.done("registerDevice", hwid="d", device_type=3, application=other)
    assert app.tags("d", application=other) == {"Shared": 1}
    app.done("setTags", hwid="d", application=other, tags={"Shared": 2, "Own": 5})
    assert app.tags("d") == {"Shared": 2, "Own": 1}
    rows = app.server.services.queries.current(STREAMS["device_tags"], app.account.slug).table.to_pylist()
    assert {(row["tag"], row["application"]) for row in rows} == {("Shared", None), ("Own", app.code), ("Own", other)}

    app.done("deleteDevice", hwid="d")
    assert app.tags("d") == {}
    assert app.tags("d", application=other) == {"Shared": 2, "Own": 5}
    app.done("deleteDevice", hwid="d", application=other)
    app.done("registerDevice", hwid="d", device_type=3)
    assert app.tags("d") == {}


def test_values_are_printed_as_statistics_print_them(app: App) -> None:
    app.declare_tag("At", DATE)
    app.declare_tag("Paid", DECIMAL)
    app.declare_tag("Vip", BOOLEAN)
    app.done("setTags", hwid="d1", tags={"At": 1773101100, "Paid": "12.345", "Vip": 1})
    app.done("setTags", hwid="d2", tags={"At": "2026-03-10T00:05:59", "Paid": 12.35, "Vip": "TRUE"})
    app.done("setTags", hwid="d3", tags={"Paid": 3, "Vip": False})
    assert app.csv("At") == f"{app.code};2026-03-10 00:05;2\n"
    assert app.csv("Paid") == f"{app.code};12.35;2\n{app.code};3.00;1\n"
    assert app.csv("Vip") == f"{app.code};true;2\n{app.code};false;1\n"


def test_a_user_stands_for_all_devices_in_the_application(app: App) -> None:
    app.declare_tag("T", STRING)
    assert app.fault("setTags", userId="u", tags={"T": "x"}) == "Device not found"
    assert app.done("getTags", userId="u") == {"result": {}}
    for hwid, user in (("d1", "u"), ("d2", "u"), ("d3", "v")):
        app.done("registerDevice", hwid=hwid, device_type=3, userId=user)
    app.done("registerDevice", hwid="d4", device_type=3, userId="u", application=app.application())
    app.done("setTags", userId="u", tags={"T": "x"})
    assert [app.tags(hwid) for hwid in ("d1", "d2", "d3")] == [{"T": "x"}, {"T": "x"}, {}]
    app.done("setTags", hwid="d3", userId="u", tags={"T": "y"})
    assert app.tags("d3") == {"T": "y"}
    assert app.done("getTags", userId="v") == {"result": {"T": "y"}}
    app.done("registerDevice", hwid="d1", device_type=3, userId="w")
    app.done("deleteDevice", hwid="d2")
    assert app.fault("setTags", userId="u", tags={"T": "z"}) == "Device not found"


def test_a_device_made_by_its_tags_has_the_user_that_was_named(app: App) -> None:
    app.done("setTags", hwid="d", userId="u", tags={})
    device = app.device("d")
    assert device is not None
    assert device["user_id"] == "u"
    app.done("setTags", hwid="d", userId="v", tags={})
    device = app.device("d")
    assert device is not None
    assert device["user_id"] == "u"


def test_tags_of_nobody(app: App) -> None:
    assert app.tags("nobody") == {}
    assert app.fault("getTags") == "hwid or userId is required"
    assert app.fault("setTags", tags={}) == "hwid or userId is required"


@pytest.mark.parametrize("tags", [None, "T", 7, ["T"]])
def test_tags_that_are_no_object(app: App, tags: Any) -> None:
    assert app.fault("setTags", hwid="d", tags=tags) == "tags must be an object"
    assert app.device("d") is None


def test_names_of_tags_are_exact(app: App) -> None:
    app.declare_tag("Größe ☃", STRING)
    sent = {"Größe ☃": "é", "größe ☃": "x", "": "x", "a\0b": "x"}
    response = app.done("setTags", hwid="d", tags=sent)
    assert [each["tag"] for each in response["skipped"]] == ["größe ☃", "", "a\0b"]
    assert app.tags("d") == {"Größe ☃": "é"}
