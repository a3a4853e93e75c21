"""The methods that write: devices, their tags and what their users do.

docs/vendors/pushwoosh.md#8.
"""

from __future__ import annotations

from airtally.devices import Skipped
from airtally.ingest.row_values import InvalidRow
from airtally.vendors.pushwoosh.call import Call, Method, MethodResult
from airtally.vendors.pushwoosh.choices import CHOICES
from airtally.vendors.pushwoosh.declarations import add_tag, create_event
from airtally.vendors.pushwoosh.device_call import (
    device_caller,
    devices_of,
    hwid,
    hwids,
    optional_integer,
    optional_object,
    optional_text,
    user_id,
)
from airtally.vendors.pushwoosh.errors import Fault
from airtally.vendors.pushwoosh.events import post_event
from airtally.vendors.pushwoosh.sdk import SDK_METHODS, taken


def register_device(call: Call) -> MethodResult:
    """Fields that are absent stay as they were."""
    account, application = device_caller(call)
    device = hwid(call)
    fields = {
        "device_type": optional_integer(call, "device_type"),
        "push_token": optional_text(call, "push_token"),
        "language": optional_text(call, "language"),
        "timezone_seconds": optional_integer(call, "timezone"),
        "user_id": user_id(call),
        "email": optional_text(call, "email"),
    }
    if fields["device_type"] is None:
        raise Fault(CHOICES.required.format("device_type"))
    given = {name: value for name, value in fields.items() if value is not None}
    devices_of(call).register(account, application, device, given, optional_object(call, "tags"))
    return MethodResult()


def unregister_device(call: Call) -> MethodResult:
    account, application = device_caller(call)
    devices_of(call).unregister(account, application, hwid(call))
    return MethodResult()


def delete_device(call: Call) -> MethodResult:
    account, application = device_caller(call)
    devices_of(call).delete(account, application, hwid(call))
    return MethodResult()


def set_tags(call: Call) -> MethodResult:
    """By `userId` alone: on every device of the user in the application."""
    account, application = device_caller(call)
    found = hwids(call, account, application)
    if not isinstance(call.parameters.get("tags"), dict | list):
        raise Fault(CHOICES.not_an_object.format("tags"))
    tags = optional_object(call, "tags")
    if not found:
        raise Fault(CHOICES.device_not_found)
    skipped: dict[str, Skipped] = {}
    for each in found:
        user = user_id(call)
        skipped |= {one.tag: one for one in devices_of(call).set_tags(account, application, each, tags, user_id=user)}
    if not skipped:
        return MethodResult()
    return MethodResult({"skipped": [{"tag": each.tag, "reason": each.reason} for each in skipped.values()]})


def get_tags(call: Call) -> MethodResult:
    """By `userId` alone: of all devices of the user; where they differ, of the last by its hwid."""
    account, application = device_caller(call)
    found: dict[str, object] = {}
    for each in hwids(call, account, application):
        found |= devices_of(call).tags(account, application, each)
    return MethodResult({"result": found})


def _guarded(method: Method) -> Method:
    """What the streams refuse (too long, U+0000, older than is kept) is the caller's fault."""

    def guarded(call: Call) -> MethodResult:
        try:
            return method(call)
        except InvalidRow as misfit:
            raise Fault(CHOICES.invalid.format(_WIRE_NAMES.get(misfit.field or "", misfit.field))) from None

    return guarded


_WIRE_NAMES = {"time": "timestamp", "user_id": "userId", "timezone_seconds": "timezone"}

WRITE_METHODS: dict[str, Method] = {
    name: _guarded(method)
    for name, method in {
        "createEvent": create_event,
        "postEvent": post_event,
        "addTag": add_tag,
        "setTags": set_tags,
        "getTags": get_tags,
        "registerDevice": register_device,
        "unregisterDevice": unregister_device,
        "deleteDevice": delete_device,
        "applicationOpen": taken,
        "pushStat": taken,
        **SDK_METHODS,
    }.items()
}
