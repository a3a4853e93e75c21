"""What the vendor's SDKs call beside the documented methods, answered so that they go on; none enters statistics.

docs/vendors/pushwoosh.md#10. The answers are those that the browser SDK (3.x) and the mobile
ones read: `getConfig` without features turns everything optional off.
"""

from __future__ import annotations

from airtally.vendors.pushwoosh.call import Call, Method, MethodResult
from airtally.vendors.pushwoosh.choices import CHOICES
from airtally.vendors.pushwoosh.device_call import (
    device_caller,
    devices_of,
    hwid,
    optional_integer,
    user_id,
)
from airtally.vendors.pushwoosh.errors import Fault


def get_config(call: Call) -> MethodResult:
    device_caller(call)
    return MethodResult({"features": {}})


def check_device(call: Call) -> MethodResult:
    """The SDK takes a device for subscribed only if it has a push token, too."""
    account, application = device_caller(call)
    device = devices_of(call).find(account, application, hwid(call))
    return MethodResult({"exist": device is not None, "push_token_exist": bool(device and device["push_token"])})


def register_user(call: Call) -> MethodResult:
    """The device, known or not, then belongs to the user."""
    account, application = device_caller(call)
    device, user = hwid(call), user_id(call)
    if user is None:
        raise Fault(CHOICES.required.format("userId"))
    given = {"user_id": user, "device_type": optional_integer(call, "device_type")}
    fields = {name: value for name, value in given.items() if value is not None}
    devices_of(call).register(account, application, device, fields)
    return MethodResult()


def taken(call: Call) -> MethodResult:
    """Nothing of it is kept."""
    device_caller(call)
    hwid(call)
    return MethodResult()


def get_in_apps(call: Call) -> MethodResult:
    device_caller(call)
    return MethodResult({"inApps": []})


def get_popup_forms(call: Call) -> MethodResult:
    device_caller(call)
    return MethodResult({"popup_forms": []})


def get_inbox_messages(call: Call) -> MethodResult:
    """`new_inbox`, the number of new ones, is what the browser SDK shows."""
    device_caller(call)
    return MethodResult({"messages": [], "deleted": [], "next": "", "new_inbox": 0})


SDK_METHODS: dict[str, Method] = {
    "getConfig": get_config,
    "checkDevice": check_device,
    "registerUser": register_user,
    "setBadge": taken,
    "messageDeliveryEvent": taken,
    "setPurchase": taken,
    "deleteTags": taken,
    "inboxStatus": taken,
    "recordPopupFormEvent": taken,
    "getInApps": get_in_apps,
    "getPopupForms": get_popup_forms,
    "getInboxMessages": get_inbox_messages,
}
