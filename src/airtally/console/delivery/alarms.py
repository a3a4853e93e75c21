"""Alarms: conditions that somebody is told of, with their state."""

from __future__ import annotations

from typing import Any

from airtally.console.declared import console_form, console_page
from airtally.console.delivery.export_specs import stream_choices
from airtally.console.forms import FormFields
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.kit.errors import BadRequest

_EMPTY = "Nothing is watched yet. Make the first alarm below: a stream that falls silent is a good one."
_KINDS = (("silent_stream", "A silent stream"), ("late", "Late work"), ("quarantine", "Refused rows"))
_OF = (("", "schedules and publications"), ("schedule", "schedules"), ("publication", "publications"))
_MINUTE = 60


class AlarmPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/alarms")
    def alarms(self, visit: Visit) -> View:
        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(visit, "list_alarms", query={"cursor": cursor, "limit": limit})

        columns = (
            TableColumn("Alarm", lambda each: each.name, link=lambda each: visit.path(f"/alarms/{each.id}")),
            TableColumn("State", lambda each: each.state, CellKind.STATE),
            TableColumn("Since", lambda each: each.since, CellKind.TIME),
            TableColumn("Watches", lambda each: condition_words(each.condition)),
            TableColumn("Found", lambda each: each.says or "not checked yet"),
            TableColumn("Checked", lambda each: each.checked_at, CellKind.TIME),
        )
        kind = visit.form.get("kind") or visit.query.get("kind", "silent_stream")
        return view(
            "delivery/alarms.html",
            alarms=table_of(visit, "alarms", columns, read, _EMPTY),
            kinds=_KINDS,
            kind=kind if kind in dict(_KINDS) else "silent_stream",
            of=_OF,
            streams=stream_choices(self._operations, visit),
        )

    @console_form("/alarms", again="alarms")
    def make_alarm(self, visit: Visit) -> Moved:
        form = visit.form
        body = {"name": form.get("name", ""), "condition": _condition(form), "recipients": _told(form)}
        made = self._operations.call(visit, "create_alarm", body=body)
        return Moved(visit.path(f"/alarms/{made.id}"), f"{made.name} is checked every 15 seconds from now on.")

    @console_page("/alarms/{alarm_id}")
    def alarm(self, visit: Visit) -> View:
        found = self._operations.call(visit, "get_alarm", path={"alarm_id": visit.name("alarm_id")})
        kind = str(type(found.condition).__struct_config__.tag)
        return view(
            "delivery/alarm.html",
            alarm=found,
            watches=condition_words(found.condition),
            kind=kind,
            of=_OF,
            streams=stream_choices(self._operations, visit),
        )

    @console_form("/alarms/{alarm_id}", again="alarm")
    def change_alarm_form(self, visit: Visit) -> Moved:
        """What the form has no field for, such as webhooks and schedules named one by one, stays."""
        form, path = visit.form, {"alarm_id": visit.name("alarm_id")}
        stored = self._operations.call(visit, "get_alarm", path=path)
        body = {"name": form.get("name", ""), "recipients": _told(form, stored.recipients.endpoints)}
        condition = _condition(form, getattr(stored.condition, "id", None))
        if condition != _fields_of(stored.condition):  # the state begins anew with another one
            body["condition"] = condition
        self._operations.call(visit, "change_alarm", path=path, body=body)
        return Moved(visit.path(f"/alarms/{path['alarm_id']}"), "The alarm is changed.")

    @console_form("/alarms/{alarm_id}/delete", again="alarm")
    def delete_alarm_form(self, visit: Visit) -> Moved:
        self._operations.call(visit, "delete_alarm", path={"alarm_id": visit.name("alarm_id")})
        return Moved(visit.path("/alarms"), "The alarm is deleted.")


def condition_words(condition: Any) -> str:
    """What is watched, in words."""
    kind = type(condition).__struct_config__.tag
    if kind == "silent_stream":
        return f"no row of {condition.stream} for {_span(condition.after_seconds)}"
    if kind == "late":
        what = f"a {condition.of}" if condition.of else "a schedule or publication"
        return f"{what} is not done {_span(condition.after_seconds)} after it was due"
    where = f" of {condition.stream}" if condition.stream else ""
    return f"{condition.rows:,} rows{where} refused within {_span(condition.within_seconds)}"


def _span(seconds: int) -> str:
    minutes, rest = divmod(seconds, _MINUTE)
    return f"{minutes:,} minutes" if not rest else f"{seconds:,} seconds"


def _condition(form: FormFields, of_one: str | None = None) -> dict[str, Any]:
    """As the native API takes it; `of_one` names the schedule or dataset that it is about."""
    kind = form.get("kind", "silent_stream")
    asked: dict[str, Any] = {"kind": kind, "stream": form.text("stream")}
    if kind == "quarantine":
        asked |= {"rows": _whole(form, "rows"), "within_seconds": _whole(form, "minutes") * _MINUTE}
    else:
        asked["after_seconds"] = _whole(form, "minutes") * _MINUTE
    if kind == "late":
        asked = {"kind": kind, "after_seconds": asked["after_seconds"], "of": form.text("of"), "id": of_one}
    return {name: value for name, value in asked.items() if value is not None}


def _fields_of(condition: Any) -> dict[str, Any]:
    given = {name: getattr(condition, name) for name in condition.__struct_fields__}
    return {"kind": type(condition).__struct_config__.tag} | {
        name: value for name, value in given.items() if value is not None
    }


def _told(form: FormFields, endpoints: tuple[int, ...] | None = None) -> dict[str, Any]:
    addresses = (form.text("addresses") or "").replace(",", " ").split()
    return {"endpoints": endpoints, "addresses": addresses, "users": "users" in form}


def _whole(form: FormFields, name: str) -> int:
    """Raises BadRequest for no whole number."""
    text = form.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise BadRequest(f"The field {name} is a whole number, not {text[:32]!r}")
    return int(text)
