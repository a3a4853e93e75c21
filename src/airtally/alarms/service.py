"""Declares, lists, changes and deletes the alarms of accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Select, delete, func, insert, select, update

from airtally.accounts.accounts import Account, check_name, lock_account
from airtally.accounts.audit import note_change
from airtally.alarms.alarm import (
    ALARM_COLUMNS,
    Alarm,
    AlarmCondition,
    AlarmRecipients,
    AlarmState,
    GrowingQuarantine,
    LateWork,
    SilentStream,
    encoded,
)
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, alarms, webhook_endpoints
from airtally.kit.clock import Clock
from airtally.kit.errors import BadRequest, Conflict, NotFound, Unprocessable
from airtally.kit.mail import is_address
from airtally.streams import STREAMS

MOST_ALARMS = 100
_MOST_RECIPIENTS = 20
_WORK = ("schedule", "publication")
T = TypeVar("T")

_EVERY = select(*ALARM_COLUMNS).join_from(alarms, accounts)


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """What to change of an alarm; None leaves it. With another condition its state begins anew, and nobody is told."""

    name: str | None = None
    condition: AlarmCondition | None = None
    recipients: AlarmRecipients | None = None


class Alarms:
    """Thread-safe; every call is one transaction. `mails`: whether there is a mail server."""

    def __init__(self, store: MetadataStore, clock: Clock, *, mails: bool) -> None:
        """`clock` is the one that all hosts share."""
        self._store = store
        self._clock = clock
        self._mails = mails

    def create(
        self, account: Account, name: str, condition: AlarmCondition, recipients: AlarmRecipients | None = None
    ) -> Alarm:
        """Raises Unprocessable for a value that cannot be used, Conflict above MOST_ALARMS."""
        to = AlarmRecipients() if recipients is None else recipients
        values = self._checked(AlarmChange(name, condition, to))
        now = self._clock.now_us()
        begun = {"account_id": account.id, "changes": 0, "checks": 0, "created_at": now, "updated_at": now}
        with self._store.begin() as connection:
            lock_account(connection, account.id)
            _check_endpoints(connection, account, to)
            if (
                connection.execute(select(func.count()).where(alarms.c.account_id == account.id)).scalar_one()
                >= MOST_ALARMS
            ):
                raise Conflict(f"The account has {MOST_ALARMS} alarms already", hint="Delete one first")
            made = insert(alarms).values(begun | values | _fresh(now)).returning(alarms.c.id)
            alarm_id = connection.execute(made).scalar_one()
            self._audit(connection, "create", account, alarm_id)
            return _found(connection, account, alarm_id)

    def get(self, account: Account, alarm_id: int) -> Alarm:
        """Raises NotFound, also for another account's."""
        with self._store.read() as connection:
            return _found(connection, account, alarm_id)

    def listed(
        self, account: Account, *, state: AlarmState | None = None, after: int | None = None, limit: int = 100
    ) -> list[Alarm]:
        """Newest first; those with an id below `after`."""
        query = _EVERY.where(alarms.c.account_id == account.id).order_by(alarms.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(alarms.c.state == state)
        if after is not None:
            query = query.where(alarms.c.id < after)
        with self._store.read() as connection:
            return [Alarm.from_row(row) for row in connection.execute(query)]

    def change(self, account: Account, alarm_id: int, change: AlarmChange) -> Alarm:
        """Raises Unprocessable for a value that cannot be used, NotFound."""
        values, now = self._checked(change), self._clock.now_us()
        with self._store.begin() as connection:
            before = _found(connection, account, alarm_id, lock=True)
            if change.recipients is not None:
                _check_endpoints(connection, account, change.recipients)
            if change.condition is not None and change.condition != before.condition:
                values |= _fresh(now)
            bumped = {"checks": alarms.c.checks + 1, "updated_at": now}
            connection.execute(update(alarms).where(alarms.c.id == alarm_id).values(values | bumped))
            self._audit(connection, "change", account, alarm_id)
            return _found(connection, account, alarm_id)

    def delete(self, account: Account, alarm_id: int) -> None:
        """Nobody is told of its end. Raises NotFound."""
        own = alarms.c.account_id == account.id, alarms.c.id == alarm_id
        with self._store.begin() as connection:
            if connection.execute(delete(alarms).where(*own)).rowcount == 0:
                raise _unknown_alarm(alarm_id)
            self._audit(connection, "delete", account, alarm_id)

    def _audit(self, connection: Connection, action: str, account: Account, alarm_id: int) -> None:
        at, target = self._clock.now_us(), f"alarm {alarm_id}"
        note_change(connection, at, f"alarm.{action}", target, account_id=account.id)

    def _checked(self, change: AlarmChange) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if change.name is not None:
            _check(check_name, change.name)
            values["name"] = change.name
        if change.condition is not None:
            values["condition"] = encoded(_checked_condition(change.condition))
        if change.recipients is not None:
            values["recipients"] = encoded(self._checked_recipients(change.recipients))
        return values

    def _checked_recipients(self, recipients: AlarmRecipients) -> AlarmRecipients:
        to = _within_limits(recipients, AlarmRecipients)
        if len(to.addresses) > _MOST_RECIPIENTS or len(to.endpoints or ()) > _MOST_RECIPIENTS:
            raise Unprocessable(f"An alarm tells {_MOST_RECIPIENTS} addresses and {_MOST_RECIPIENTS} endpoints at most")
        if (to.addresses or to.users) and not self._mails:
            raise Unprocessable("The server sends no e-mail", hint="AIRTALLY_SMTP_URL names its mail server")
        for address in to.addresses:
            if not is_address(address):
                raise Unprocessable(f"The e-mail address {address[:64]!r} cannot be used")
        return to


def _fresh(now: int) -> dict[str, Any]:
    """The state of an alarm that has not been checked."""
    return {
        "state": AlarmState.OK,
        "since": now,
        "says": "",
        "checked_at": now,
        "held_us": None,
        "last_row_at": None,
        "looked_through": None,
        "positions": None,
    }


def _checked_condition(condition: AlarmCondition) -> AlarmCondition:
    checked: AlarmCondition = _within_limits(condition, AlarmCondition)
    match checked:
        case SilentStream(stream=stream):
            _check_stream(stream)
        case GrowingQuarantine(stream=str() as stream):
            _check_stream(stream)
        case LateWork(of=str() as of) if of not in _WORK:
            raise Unprocessable(f"{of[:64]!r} cannot be late", hint=f"Expected {' or '.join(_WORK)}, or null for both")
        case _:
            pass
    return checked


def _within_limits(value: T, kind: Any) -> T:
    """The value, checked by the bounds of its type, which msgspec checks only of what it decodes."""
    try:
        checked: T = msgspec.convert(msgspec.to_builtins(value), kind)
    except msgspec.ValidationError as error:
        raise Unprocessable(str(error)) from error
    return checked


def _check(check: Any, value: str) -> None:
    try:
        check(value)
    except BadRequest as refused:
        raise Unprocessable(refused.message) from refused


def _check_stream(stream: str) -> None:
    if stream not in STREAMS:
        raise Unprocessable(f"There is no stream {stream[:64]!r}", hint=f"The streams are {', '.join(sorted(STREAMS))}")


def _check_endpoints(connection: Connection, account: Account, recipients: AlarmRecipients) -> None:
    own = select(webhook_endpoints.c.id).where(webhook_endpoints.c.account_id == account.id)
    unknown = set(recipients.endpoints or ()) - set(connection.execute(own).scalars())
    if unknown:
        raise Unprocessable(f"There is no webhook endpoint {min(unknown)}")


def _found(connection: Connection, account: Account, alarm_id: int, *, lock: bool = False) -> Alarm:
    query: Select[Any] = _EVERY.where(alarms.c.account_id == account.id, alarms.c.id == alarm_id)
    row = connection.execute(query.with_for_update(of=alarms) if lock else query).one_or_none()
    if row is None:
        raise _unknown_alarm(alarm_id)
    return Alarm.from_row(row)


def _unknown_alarm(alarm_id: int) -> NotFound:
    return NotFound(f"There is no alarm {alarm_id}")
