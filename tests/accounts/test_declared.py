from __future__ import annotations

import threading

import pytest

from airtally.accounts.accounts import Account
from airtally.accounts.declared import EventTypeRegistry, MetTag, ValueType
from airtally.database.store import MetadataStore
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Conflict

INTEGER, STRING, LIST, PRICE = ValueType.INTEGER, ValueType.STRING, ValueType.LIST, ValueType.PRICE


@pytest.fixture
def declared(metadata: MetadataStore, clock: MovableClock) -> EventTypeRegistry:
    return EventTypeRegistry(metadata, clock)


@pytest.fixture
def elsewhere(metadata: MetadataStore, clock: MovableClock) -> EventTypeRegistry:
    """Another process's."""
    return EventTypeRegistry(metadata, clock)


def test_an_event_is_declared_once(declared: EventTypeRegistry, account: Account, other_account: Account) -> None:
    made = declared.create_event(account, "A", "Buy", description="d", attributes={"n": INTEGER}, track_revenue=True)
    assert declared.event(account, "A", "Buy") == made
    assert (made.attributes, made.track_revenue, made.met) == ({"n": INTEGER}, True, False)
    assert declared.event(account, "A", "buy") is None
    assert declared.event(other_account, "A", "Buy") is None
    with pytest.raises(Conflict):
        declared.create_event(account, "A", "Buy")
    assert declared.create_event(account, "B", "Buy").id > made.id


def test_a_call_upgrades_an_event_that_rows_met(declared: EventTypeRegistry, account: Account) -> None:
    met = declared.meet_events(account, {("A", "Buy"): {"n": PRICE, "more": STRING}})["A", "Buy"]
    assert met.met
    made = declared.create_event(account, "A", "Buy", description="d", attributes={"n": INTEGER, "x": LIST})
    assert made.id == met.id
    assert not made.met
    assert made.attributes == {"n": INTEGER, "more": STRING, "x": LIST}
    with pytest.raises(Conflict):
        declared.create_event(account, "A", "Buy")


def test_the_first_row_fixes_the_type(
    declared: EventTypeRegistry, elsewhere: EventTypeRegistry, account: Account
) -> None:
    declared.meet_events(account, {("A", "Buy"): {"n": INTEGER}})
    again = elsewhere.meet_events(account, {("A", "Buy"): {"n": STRING, "m": STRING}, ("A", "See"): {}})
    assert again["A", "Buy"].attributes == {"n": INTEGER, "m": STRING}
    assert again["A", "See"].attributes == {}


def test_what_another_process_declares_is_found_at_once(
    declared: EventTypeRegistry, elsewhere: EventTypeRegistry, account: Account
) -> None:
    assert declared.event(account, "A", "Buy") is None
    elsewhere.meet_events(account, {("A", "Buy"): {}})
    assert declared.event(account, "A", "Buy") is not None
    elsewhere.meet_events(account, {("A", "Buy"): {"n": INTEGER}})
    found = declared.event(account, "A", "Buy", attributes=["n"])
    assert found is not None
    assert found.attributes == {"n": INTEGER}
    assert declared.tag(account, "T") is None
    elsewhere.add_tag(account, "T", LIST)
    assert declared.tag(account, "T") is not None


def test_a_tag_is_declared_once(declared: EventTypeRegistry, account: Account, other_account: Account) -> None:
    made = declared.add_tag(account, "T", LIST, application_specific=True, user_specific=True)
    assert declared.tag(account, "T") == made
    assert (made.type, made.application_specific, made.user_specific, made.met) == (LIST, True, True, False)
    assert declared.tag(other_account, "T") is None
    with pytest.raises(Conflict):
        declared.add_tag(account, "T", LIST)
    assert not declared.add_tag(account, "shared", STRING).application_specific


@pytest.mark.parametrize(("asked", "scope"), [(None, True), (False, False), (True, True)])
def test_a_call_upgrades_a_tag_that_rows_met(
    declared: EventTypeRegistry, account: Account, asked: bool | None, scope: bool
) -> None:
    met = declared.meet_tags(account, {"T": MetTag(STRING, application_specific=True)})["T"]
    assert (met.met, met.type) == (True, STRING)
    made = declared.add_tag(account, "T", LIST, application_specific=asked)
    assert (made.id, made.met, made.type, made.application_specific) == (met.id, False, LIST, scope)


def test_many_are_met_together(declared: EventTypeRegistry, account: Account) -> None:
    events = {("A", f"e{number}"): {f"a{each}": INTEGER for each in range(3)} for number in range(1000)}
    met = declared.meet_events(account, events)
    assert {key: event.attributes for key, event in met.items()} == events
    tags = {f"t{number}": MetTag(LIST, application_specific=False) for number in range(1000)}
    assert declared.meet_tags(account, tags).keys() == tags.keys()
    assert declared.meet_events(account, events) == met


def test_a_name_that_no_store_can_keep_is_not_declared(declared: EventTypeRegistry, account: Account) -> None:
    assert declared.event(account, "A", "a\0b") is None
    assert declared.tag(account, "a\0b") is None


def test_rows_that_meet_one_event_at_once_agree(
    declared: EventTypeRegistry, elsewhere: EventTypeRegistry, account: Account
) -> None:
    ends = threading.Barrier(2)
    found: list[ValueType] = []

    def meet(where: EventTypeRegistry, kind: ValueType) -> None:
        ends.wait()
        keys = {("A", f"e{number}"): {"n": kind} for number in range(20)}
        found.extend(event.attributes["n"] for event in where.meet_events(account, keys).values())

    threads = [threading.Thread(target=meet, args=each) for each in ((declared, INTEGER), (elsewhere, STRING))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40
    assert found[:20] == found[20:]
