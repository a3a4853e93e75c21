"""What the device methods have in common: whose application it is, which device, and how fields are read.

docs/vendors/pushwoosh.md#2, #8: device calls carry no server token, and a null is an absent field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airtally.accounts.accounts import Account
from airtally.accounts.principal import Principal
from airtally.devices import Devices
from airtally.kit import attempts
from airtally.kit.errors import NotFound
from airtally.vendors.pushwoosh.auth import application
from airtally.vendors.pushwoosh.call import Call
from airtally.vendors.pushwoosh.choices import CHOICES
from airtally.vendors.pushwoosh.errors import Fault

KIND = "pushwoosh-device"

_INTEGER = re.compile(r"-?[0-9]{1,19}")


def device_caller(call: Call) -> tuple[Account, str]:
    """The account that owns `application`, and the code. Raises Fault or Restricted."""
    principal = _holder(call)
    if principal is not None:
        return principal.account, application(call, principal)
    code = call.text("application") or ""
    owner = call.services.access.owners.owner_of("application", code)
    if owner is None:
        raise Fault(CHOICES.application_not_found)
    try:
        account = call.services.access.accounts.by_id(owner)
    except NotFound:  # it was closed
        raise Fault(CHOICES.application_not_found) from None
    attempts.note(right=True)  # a device is let in by its application; `auth` in the body is not looked at
    call.state["account"] = account.slug
    return account, code


def _holder(call: Call) -> Principal | None:
    """Who the device token in the header `Authorization: Token …` belongs to; None without the header."""
    header = call.headers.get("authorization")
    if header is None and not call.services.settings.pushwoosh_strict_device_token:
        return None
    scheme, _, token = (header or "").strip().partition(" ")
    known = scheme.lower() == "token" and token
    principal = call.services.access.keys.authenticate(KIND, token.strip()) if known else None
    if principal is None:
        raise Fault(CHOICES.account_not_found)
    call.state["account"] = principal.account.slug
    return principal


def devices_of(call: Call) -> Devices:
    devices = call.services.devices
    if devices is None:
        raise ValueError("device methods need a process that takes rows")
    return devices


def hwid(call: Call) -> str:
    """Raises Fault."""
    found = optional_text(call, "hwid")
    if found is None:
        raise Fault(CHOICES.required.format("hwid"))
    return found


def hwids(call: Call, account: Account, code: str) -> list[str]:
    """The device of `hwid`, else those of `userId` in the application. Raises Fault where neither is given."""
    device, user = optional_text(call, "hwid"), user_id(call)
    if device is not None:
        return [device]
    if user is None:
        raise Fault(CHOICES.required.format("hwid or userId"))
    return devices_of(call).of_user(account, code, user)


def user_id(call: Call) -> str | None:
    """`userId`, which some SDKs send as a number. Null and empty are absent. Raises Fault."""
    value = call.parameters.get("userId")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return optional_text(call, "userId")


def optional_text(call: Call, name: str) -> str | None:
    """Null and empty are absent. Raises Fault."""
    value = call.parameters.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Fault(CHOICES.invalid.format(name))
    return value


def optional_integer(call: Call, name: str) -> int | None:
    """An integer, or one as digits. Raises Fault."""
    value = call.parameters.get(name)
    if value is None:
        return None
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise Fault(CHOICES.invalid.format(name))
    return value


def optional_object(call: Call, name: str) -> Mapping[str, Any]:
    """An empty array is what PHP makes of an empty object. Raises Fault."""
    value = call.parameters.get(name)
    if value is None or value == []:
        return {}
    if not isinstance(value, dict):
        raise Fault(CHOICES.not_an_object.format(name))
    return value
