"""The types of messages: what an account can be told of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MessageType:
    """`name` is full-stop delimited, `doc` one sentence."""

    name: str
    doc: str


PING = "ping"
ENDPOINT_DISABLED = "endpoint.disabled"
ALARM_FIRED = "alarm.fired"
ALARM_RESOLVED = "alarm.resolved"
EXPORT_DONE = "export.done"
EXPORT_FAILED = "export.failed"

#: Every type by its name. A message of another type is a fault of the program.
EVENT_TYPES = {
    each.name: each
    for each in (
        MessageType(PING, "A test message, which somebody asked for."),
        MessageType(ENDPOINT_DISABLED, "A webhook endpoint was disabled by the server, and why."),
        MessageType(ALARM_FIRED, "An alarm's condition has come true."),
        MessageType(ALARM_RESOLVED, "An alarm's condition is over."),
        MessageType("schedule.delivered", "A slot of a schedule was run, and where its file is."),
        MessageType("schedule.failed", "A slot of a schedule was not run, and why."),
        MessageType(EXPORT_DONE, "The files of an export that a caller asked for can be fetched."),
        MessageType(EXPORT_FAILED, "An export that a caller asked for ended without files, and why."),
    )
}
