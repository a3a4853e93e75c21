"""Rows declare what they are the first to name; later rows must fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.accounts.accounts import Account
from airtally.accounts.declared import EventTypeRegistry, ValueType
from airtally.database.store import MetadataStore
from airtally.ingest.checked import Checked
from airtally.ingest.declaring import Declaring
from airtally.ingest.decode import read_rows
from airtally.kit.clock import MovableClock
from airtally.streams import STREAMS
from fixtures.accounts import NOW_US
from fixtures.postgres import on_sqlite

pytestmark = on_sqlite

NAMES = {kind: kind.name.lower() for kind in ValueType}


class Rows:
    """Batches of one account on their way through."""

    def __init__(self, store: MetadataStore, account: Account) -> None:
        self.store, self.account = store, account
        self.declared = EventTypeRegistry(store, MovableClock(NOW_US))
        self.elsewhere = EventTypeRegistry(store, MovableClock(NOW_US))
        self.declaring = Declaring(self.declared)

    def send(self, stream: str, *rows: Mapping[str, Any]) -> Checked:
        checked = read_rows(STREAMS[stream], msgspec.json.encode(rows), "application/json")
        assert checked.errors == []
        return self.declaring.check(STREAMS[stream], self.account, checked)

    def events(self, *attributes: Mapping[str, Any] | None, event: str = "Buy") -> list[tuple[int, str | None, str]]:
        """The errors of events with these attributes."""
        time = "2026-03-10T00:00:00Z"
        rows = ({"application": "A", "event": event, "time": time, "attributes": each} for each in attributes)
        return shown(self.send("app_events", *rows))

    def tags(self, *rows: tuple[str, Any], application: str | None = "A") -> list[tuple[int, str | None, str]]:
        """The errors of tags with these names and values."""
        made = ({"application": application, "hwid": "d", "tag": tag, "value": value} for tag, value in rows)
        return shown(self.send("device_tags", *made))

    def types(self, event: str = "Buy") -> dict[str, str] | None:
        found = EventTypeRegistry(self.store, MovableClock(NOW_US)).event(self.account, "A", event)
        return None if found is None else {name: NAMES[kind] for name, kind in found.attributes.items()}

    def tag(self, name: str) -> tuple[str, bool] | None:
        found = self.elsewhere.tag(self.account, name)
        return None if found is None else (NAMES[found.type], found.application_specific)


def shown(checked: Checked) -> list[tuple[int, str | None, str]]:
    return [(error.line, error.field, error.error) for error in checked.errors]


@pytest.fixture
def rows(metadata: MetadataStore, account: Account) -> Iterator[Rows]:
    return Rows(metadata, account)


def test_an_event_is_declared_by_its_first_row(rows: Rows) -> None:
    assert rows.types() is None
    assert rows.events(None, None) == []
    assert rows.types() == {}
    assert rows.events({"i": 1, "p": 1.5, "b": True, "l": ["x"], "s": "x"}, {"more": 2.0}) == []
    types = {"i": "integer", "p": "price", "b": "boolean", "l": "list", "s": "string", "more": "price"}
    assert rows.types() == types
    assert rows.types("Other") is None


def test_later_misfits_are_errors_that_name_the_field(rows: Rows) -> None:
    assert rows.events({"items": 1, "price": 1.5, "on": True, "tags": ["x"], "name": "x"}) == []
    errors = rows.events(
        {"items": "1"},
        {"items": 2},
        {"items": 2.0},
        {"price": 2},
        {"price": "2"},
        {"on": 1},
        {"tags": "x"},
        {"name": 7},
    )
    assert errors == [
        (1, "attributes.items", "expected integer, got string"),
        (3, "attributes.items", "expected integer, got number"),
        (5, "attributes.price", "expected number, got string"),
        (6, "attributes.on", "expected boolean, got number"),
        (7, "attributes.tags", "expected list of strings, got string"),
        (8, "attributes.name", "expected string, got number"),
    ]


def test_within_a_batch_the_first_row_counts_too(rows: Rows) -> None:
    assert rows.events(None, {"n": "x"}, {"n": 1}, {"n": "x"}, {"n": 1}) == [
        (3, "attributes.n", "expected string, got number"),
        (5, "attributes.n", "expected string, got number"),
    ]
    assert rows.events({"n": 1}, {"n": "x"}, event="Other") == [(2, "attributes.n", "expected integer, got string")]


def test_a_refused_row_declares_none_of_its_attributes(rows: Rows) -> None:
    rows.events({"n": 1})
    assert rows.events({"a": "x", "n": "x"}, {"big": 2**64}, {"a\0b": 1}) == [
        (1, "attributes.n", "expected integer, got string"),
        (2, "attributes.big", "number out of range"),
        (3, "attributes", "a name holds the character U+0000"),
    ]
    assert rows.types() == {"n": "integer"}


def test_another_process_that_was_first_is_respected(rows: Rows) -> None:
    rows.events(None)  # remembered without attributes
    rows.elsewhere.meet_events(rows.account, {("A", "Buy"): {"n": ValueType.STRING}})
    assert rows.events({"n": 1}) == [(1, "attributes.n", "expected string, got number")]


def test_declared_dates_and_versions_keep_their_text(rows: Rows) -> None:
    types = {"at": ValueType.DATE, "v": ValueType.VERSION}
    rows.declared.create_event(rows.account, "A", "Buy", attributes=types)
    errors = rows.events({"at": "2026-03-10 00:05"}, {"v": "1.10"}, {"at": "2026-02-30 00:00"}, {"at": 7}, {"v": "one"})
    assert errors == [
        (3, "attributes.at", "expected a date such as 2026-03-10 00:05"),
        (4, "attributes.at", "expected a date such as 2026-03-10 00:05, got number"),
        (5, "attributes.v", "expected a version such as 1.10.2"),
    ]


def test_tags_are_declared_by_their_first_row(rows: Rows) -> None:
    values = [("i", -1), ("p", -1.5), ("e", 1e30), ("b", False), ("l", []), ("s", "1"), ("none", None)]
    assert rows.tags(*values) == []
    assert rows.tags(("shared", "x"), application=None) == []
    kinds = {"i": "integer", "p": "price", "e": "price", "b": "boolean", "l": "list", "s": "string"}
    assert {name: rows.tag(name) for name in kinds} == {name: (kind, True) for name, kind in kinds.items()}
    assert rows.tag("shared") == ("string", False)
    assert rows.tag("none") is None


def test_later_tags_must_fit(rows: Rows) -> None:
    rows.tags(("i", 1), ("p", 1.5), ("s", "x"), ("l", ["x"]))
    errors = rows.tags(("i", "x"), ("i", 2), ("p", 2), ("p", True), ("s", 1), ("l", "x"), ("i", None), ("i", 2**63))
    assert errors == [
        (1, "value", "expected integer, got string"),
        (4, "value", "expected number, got boolean"),
        (5, "value", "expected string, got number"),
        (6, "value", "expected list of strings, got string"),
        (8, "value", "number out of range"),
    ]


def test_a_tag_keeps_its_scope(rows: Rows) -> None:
    rows.tags(("own", 1))
    rows.declared.add_tag(rows.account, "shared", ValueType.INTEGER)
    assert rows.tags(("own", 1), ("shared", 1)) == [
        (2, "application", "expected none: all applications share this tag")
    ]
    errors = rows.tags(("shared", 1), ("own", 1), application=None)
    assert errors == [(2, "application", "required: each application has a value of its own of this tag")]


def test_declared_date_tags(rows: Rows) -> None:
    rows.declared.add_tag(rows.account, "at", ValueType.DATE, application_specific=True)
    errors = rows.tags(("at", "2026-03-10 00:05"), ("at", "soon"))
    assert errors == [(2, "value", "expected a date such as 2026-03-10 00:05")]


def test_deletions_declare_nothing(rows: Rows) -> None:
    deletion = {"application": "A", "hwid": "d", "tag": "T", "value": "x", "is_deleted": 1}
    assert rows.send("device_tags", deletion).rows.num_rows == 1
    assert rows.tag("T") is None


_values = st.one_of(st.integers(-5, 5), st.floats(-5, 5), st.booleans(), st.sampled_from("xy"), st.just(["x"]))
_attributes = st.one_of(st.none(), st.dictionaries(st.sampled_from("abc"), _values, max_size=3))
_KINDS = {bool: "boolean", int: "integer", float: "price", list: "list", str: "string"}
_numbers = iter(range(10**9))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(_attributes, min_size=1, max_size=6), max_size=4))
def test_any_batches_are_judged_as_one_row_after_the_other(rows: Rows, batches: list[list[Any]]) -> None:
    event = f"e{next(_numbers)}"
    types: dict[str, str] = {}
    for batch in batches:
        wrong = []
        for line, attributes in enumerate(batch, 1):
            kinds = {name: _KINDS[type(value)] for name, value in (attributes or {}).items()}
            fit = all(
                types.get(name, kind) == kind or (types[name], kind) == ("price", "integer")
                for name, kind in kinds.items()
            )
            if fit:
                types = kinds | types
            else:
                wrong.append(line)
        assert [line for line, _, _ in rows.events(*batch, event=event)] == wrong
        assert rows.types(event) == types
