"""Alarms are an account's own; what cannot be watched is refused when it is declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airtally.accounts.accounts import Account
from airtally.alarms.alarm import AlarmRecipients, AlarmState, GrowingQuarantine, LateWork, SilentStream
from airtally.alarms.service import MOST_ALARMS, AlarmChange, Alarms
from airtally.database.store import MetadataStore
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Conflict, NotFound, Unprocessable
from airtally.webhooks.endpoints import EndpointSecret
from fixtures.alarms import AlarmHome, fired

HOUR = SilentStream("playlogs", 3600)


@pytest.mark.parametrize(
    "condition",
    [HOUR, LateWork(600, "schedule", "7"), LateWork(), GrowingQuarantine(100, 600, "playlogs"), GrowingQuarantine(1)],
)
def test_what_was_declared_is_read_back(
    alarms: Alarms, account: Account, clock: MovableClock, condition: Any, declared: Callable[..., EndpointSecret]
) -> None:
    to = AlarmRecipients((declared("https://hooks.example/").endpoint.id,), ("ana@acme.example",), users=True)
    made = alarms.create(account, "Night watch", condition, to)
    assert alarms.get(account, made.id) == made
    assert (made.name, made.condition, made.recipients, made.state) == ("Night watch", condition, to, AlarmState.OK)
    assert (made.account, made.since, made.changes) == (account, clock.now_us(), 0)


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        (SilentStream("no_such", 3600), "no_such"),
        (SilentStream("playlogs", 299), "300"),
        (SilentStream("playlogs", 10**9), "<="),
        (LateWork(59), "60"),
        (LateWork(600, "dinner"), "dinner"),
        (GrowingQuarantine(0), "1"),
        (GrowingQuarantine(1 << 60), "<="),
        (GrowingQuarantine(1, 600, "no_such"), "no_such"),
    ],
)
def test_conditions_that_cannot_be_watched(alarms: Alarms, account: Account, condition: Any, says: str) -> None:
    with pytest.raises(Unprocessable, match=says):
        alarms.create(account, "x", condition)
    made = alarms.create(account, "x", HOUR)
    with pytest.raises(Unprocessable, match=says):
        alarms.change(account, made.id, AlarmChange(condition=condition))


@pytest.mark.parametrize(
    "recipients",
    [
        AlarmRecipients(addresses=("no address",)),
        AlarmRecipients(addresses=("a@b.example\n",)),
        AlarmRecipients(addresses=tuple(f"a{number}@b.example" for number in range(21))),
        AlarmRecipients(endpoints=(1 << 40,)),
    ],
)
def test_recipients_that_cannot_be_told(alarms: Alarms, account: Account, recipients: AlarmRecipients) -> None:
    with pytest.raises(Unprocessable):
        alarms.create(account, "x", HOUR, recipients)


def test_another_accounts_endpoint_cannot_be_told(
    alarms: Alarms, account: Account, other_account: Account, declared: Callable[..., EndpointSecret]
) -> None:
    theirs = declared("https://hooks.example/", of=other_account).endpoint.id
    with pytest.raises(Unprocessable, match="no webhook endpoint"):
        alarms.create(account, "x", HOUR, AlarmRecipients((theirs,)))


def test_without_a_mail_server_nobody_can_be_told_by_mail(
    metadata: MetadataStore, clock: MovableClock, account: Account
) -> None:
    alarms = Alarms(metadata, clock, mails=False)
    for to in (AlarmRecipients(users=True), AlarmRecipients(addresses=("a@b.example",))):
        with pytest.raises(Unprocessable, match="e-mail"):
            alarms.create(account, "x", HOUR, to)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 257])
def test_names_that_cannot_be_used(alarms: Alarms, account: Account, name: str) -> None:
    with pytest.raises(Unprocessable):
        alarms.create(account, name, HOUR)


def test_another_accounts_alarm_is_not_there(alarms: Alarms, account: Account, other_account: Account) -> None:
    made = alarms.create(account, "x", HOUR)
    for call in (
        lambda: alarms.get(other_account, made.id),
        lambda: alarms.change(other_account, made.id, AlarmChange(name="y")),
        lambda: alarms.delete(other_account, made.id),
        lambda: alarms.get(account, made.id + 1),
    ):
        with pytest.raises(NotFound):
            call()
    assert alarms.listed(other_account) == []
    assert alarms.listed(account) == [made]


def test_listings_are_newest_first_and_in_pages(alarms: Alarms, account: Account) -> None:
    ids = [alarms.create(account, f"a{number}", HOUR).id for number in range(4)]
    assert [each.id for each in alarms.listed(account, limit=2)] == [ids[3], ids[2]]
    assert [each.id for each in alarms.listed(account, after=ids[2])] == [ids[1], ids[0]]
    assert alarms.listed(account, state=AlarmState.FIRING) == []


def test_their_number_is_bounded(alarms: Alarms, account: Account) -> None:
    for _ in range(MOST_ALARMS):
        last = alarms.create(account, "x", HOUR)
    with pytest.raises(Conflict):
        alarms.create(account, "x", HOUR)
    alarms.delete(account, last.id)
    alarms.create(account, "x", HOUR)


def test_another_condition_begins_anew_another_name_does_not(
    alarms: Alarms, alarm_home: AlarmHome, account: Account
) -> None:
    made = alarms.create(account, "x", GrowingQuarantine(5))
    alarm_home.refuse(account, 5)
    alarm_home.run(15)
    assert alarm_home.told() == fired(made)
    renamed = alarms.change(account, made.id, AlarmChange(name="y", condition=GrowingQuarantine(5)))
    assert (renamed.name, renamed.state) == ("y", AlarmState.FIRING)
    changed = alarms.change(account, made.id, AlarmChange(condition=GrowingQuarantine(6)))
    assert (changed.state, changed.held_us, changed.says) == (AlarmState.OK, None, "")
    alarm_home.run(60)
    assert alarm_home.told() == fired(made), "its owner changed it, and is not told of that"
