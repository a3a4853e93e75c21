"""postEvent: one trigger of a declared event.

docs/vendors/pushwoosh.md#8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airtally.accounts.declared import ValueType
from airtally.devices import fitted
from airtally.kit.time import SECOND_US
from airtally.streams.app_events import APP_EVENTS
from airtally.vendors.pushwoosh.call import Call, MethodResult
from airtally.vendors.pushwoosh.choices import CHOICES
from airtally.vendors.pushwoosh.device_call import device_caller, optional_object, optional_text, user_id
from airtally.vendors.pushwoosh.errors import Fault

LATEST_SECONDS = 1 << 33  # beyond what any row may carry


def post_event(call: Call) -> MethodResult:
    """Store one more event, whether the device is known or not."""
    account, application = device_caller(call)
    name = call.text("event") or ""
    sent = call.parameters.get("attributes")
    names = list(sent) if isinstance(sent, dict) else []
    declared = call.services.access.declared.event(account, application, name, names)
    if declared is None:
        raise Fault(CHOICES.event_not_found)
    device, user = optional_text(call, "hwid"), user_id(call)
    if device is None and user is None:
        raise Fault(CHOICES.required.format("hwid or userId"))
    attributes = _fitting(declared.attributes, optional_object(call, "attributes"))
    row = {
        "application": application,
        "event": name,
        "time": _event_time(call),
        "hwid": device,
        "user_id": user,
        "attributes": attributes or None,
    }
    batches = call.services.intake.batches
    if batches is None:
        raise ValueError("postEvent needs a process that takes rows")
    batches.put(APP_EVENTS, account, [row], kind="pushwoosh")
    return MethodResult({"code": CHOICES.in_app_code})


def _fitting(declared: Mapping[str, ValueType], sent: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that are declared and fit their type; the others are dropped, and the event still counts."""
    fitting = {}
    for name, value in sent.items():
        if name in declared and (fits := fitted(declared[name], value)) is not None:
            fitting[name] = fits
    return fitting


def _event_time(call: Call) -> int:
    """Microseconds since epoch."""
    sent = call.parameters.get("timestampUTC")
    if sent is None:
        return call.services.clock.now_us()
    if isinstance(sent, bool) or not isinstance(sent, int | float) or not 0 <= sent < LATEST_SECONDS:
        raise Fault(CHOICES.invalid.format("timestamp"))
    return int(sent) * SECOND_US
