"""The types of messages: what an account can be told of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventType:
    """`name` is full-stop delimited, `doc` one sentence."""

    name: str
    doc: str


PING = "ping"
ENDPOINT_DISABLED = "endpoint.disabled"
ALARM_FIRED = "alarm.fired"
ALARM_RESOLVED = "alarm.resolved"

#: Every type by its name. A message of another type is a fault of the program.
EVENT_TYPES = {
    each.name: each
    for each in (
        EventType(PING, "A test message, which somebody asked for."),
        EventType(ENDPOINT_DISABLED, "A webhook endpoint was disabled by the server, and why."),
        EventType(ALARM_FIRED, "An alarm's condition has come true."),
        EventType(ALARM_RESOLVED, "An alarm's condition is over."),
        EventType("schedule.delivered", "A slot of a schedule was run, and where its file is."),
        EventType("schedule.failed", "A slot of a schedule was not run, and why."),
        EventType("export.done", "The files of an export can be fetched."),
        EventType("export.failed", "An export ended without files, and why."),
    )
}
