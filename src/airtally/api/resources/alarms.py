"""`/api/v1/alarms`: conditions that somebody is told of, once when they come true and once when they are over.
docs/reference/webhooks-api.md.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from airtally.accounts.permissions import Permission
from airtally.alarms.alarm import Alarm, AlarmCondition, AlarmRecipients, AlarmState
from airtally.alarms.service import AlarmChange
from airtally.api.operation import NoFields, OperationCall, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.times import shown_moment
from airtally.kit.errors import Conflict, NotFound
from airtally.services import Services

_EXAMPLE = {
    "name": "No plays",
    "condition": {"kind": "silent_stream", "stream": "playlogs", "after_seconds": 3600},
}


class NewAlarm(msgspec.Struct, forbid_unknown_fields=True):
    """`recipients` left out: all webhooks that want `alarm.fired` and `alarm.resolved`."""

    name: str
    condition: AlarmCondition
    recipients: AlarmRecipients = AlarmRecipients()


class AlarmPatch(msgspec.Struct, forbid_unknown_fields=True):
    """What is left out stays. With another condition the state begins anew, and nobody is told."""

    name: str | UnsetType = UNSET
    condition: AlarmCondition | UnsetType = UNSET
    recipients: AlarmRecipients | UnsetType = UNSET


class AlarmAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`state` since `since`. `says`: what the last check, at `checked_at`, found; empty before the first.

    `changes`: how often the state has changed. Times are RFC 3339, UTC.
    """

    id: int
    name: str
    condition: AlarmCondition
    recipients: AlarmRecipients
    state: AlarmState
    since: str
    says: str
    changes: int
    checked_at: str
    created_at: str
    updated_at: str


class AlarmsQuery(PageQuery):
    """`state`: only those in it."""

    state: AlarmState | None = None


class AlarmResource:
    def __init__(self, services: Services) -> None:
        self._alarms = services.alarms.alarms

    @operation(
        *("POST", "/alarms", Permission.ADMIN, "Create an alarm"), status=201, failures=(Conflict,), example=_EXAMPLE
    )
    def create_alarm(self, call: OperationCall[NoFields, NewAlarm]) -> AlarmAnswer:
        """It is checked every 15 seconds from now on. An account has 100 at most."""
        asked = call.body
        return alarm_answer(self._alarms.create(call.account, asked.name, asked.condition, asked.recipients))

    @operation("GET", "/alarms", Permission.READ, "List alarms")
    def list_alarms(self, call: OperationCall[AlarmsQuery, None]) -> ListingPage[AlarmAnswer]:
        """The newest first, with their state."""
        asked = call.query
        found = self._alarms.listed(call.account, state=asked.state, after=asked.position, limit=asked.limit + 1)
        return page_of(found, asked.limit, alarm_answer, lambda each: each.id)

    @operation("GET", "/alarms/{alarm_id}", Permission.READ, "Get an alarm", failures=(NotFound,))
    def get_alarm(self, call: PlainCall) -> AlarmAnswer:
        """With its state."""
        return alarm_answer(self._alarms.get(call.account, call.number("alarm_id")))

    @operation(
        *("PATCH", "/alarms/{alarm_id}", Permission.ADMIN, "Change an alarm"),
        failures=(NotFound,),
        example={"recipients": {"users": False}},
    )
    def change_alarm(self, call: OperationCall[NoFields, AlarmPatch]) -> AlarmAnswer:
        """A check that is under way counts no more."""
        asked = call.body
        given = {name: getattr(asked, name) for name in asked.__struct_fields__ if getattr(asked, name) is not UNSET}
        return alarm_answer(self._alarms.change(call.account, call.number("alarm_id"), AlarmChange(**given)))

    @operation("DELETE", "/alarms/{alarm_id}", Permission.ADMIN, "Delete an alarm", status=204, failures=(NotFound,))
    def delete_alarm(self, call: PlainCall) -> None:
        """Nobody is told of its end."""
        self._alarms.delete(call.account, call.number("alarm_id"))


def alarm_answer(alarm: Alarm) -> AlarmAnswer:
    return AlarmAnswer(
        id=alarm.id,
        name=alarm.name,
        condition=alarm.condition,
        recipients=alarm.recipients,
        state=alarm.state,
        since=shown_moment(alarm.since),
        says=alarm.says,
        changes=alarm.changes,
        checked_at=shown_moment(alarm.checked_at),
        created_at=shown_moment(alarm.created_at),
        updated_at=shown_moment(alarm.updated_at),
    )
