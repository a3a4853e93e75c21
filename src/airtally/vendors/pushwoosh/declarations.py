"""createEvent and addTag: what applications may send later.

docs/vendors/pushwoosh.md#8.
"""

from __future__ import annotations

from typing import Any

from airtally.accounts.declared import ValueType
from airtally.kit.errors import Conflict
from airtally.vendors.pushwoosh.auth import application, caller
from airtally.vendors.pushwoosh.call import Call, MethodResult
from airtally.vendors.pushwoosh.choices import CHOICES
from airtally.vendors.pushwoosh.errors import Fault


def create_event(call: Call) -> MethodResult:
    principal = caller(call)
    code = application(call, principal)
    name = _name(call.parameters.get("name"), "name", characters=CHOICES.event_name_characters)
    try:
        event = call.services.access.declared.create_event(
            principal.account,
            code,
            name,
            description=_description(call.parameters.get("description")),
            attributes=_attributes(call.parameters.get("eventAttributes")),
            track_revenue=_flag(call.parameters.get("trackRevenue"), "trackRevenue") or False,
        )
    except Conflict:
        raise Fault(CHOICES.event_exists) from None
    return MethodResult({"event": event.id})


def add_tag(call: Call) -> MethodResult:
    principal = caller(call)
    tag = call.parameters.get("tag")
    if not isinstance(tag, dict):
        raise Fault(CHOICES.not_an_object.format("tag"))
    name = _name(tag.get("name"), "tag name", characters=CHOICES.tag_name_characters)
    wanted = _type(tag.get("type"), ValueType.VERSION)
    scope = _flag(tag.get("application_specific"), "application_specific")
    of_user = _flag(tag.get("user_specific"), "user_specific") or False
    try:
        call.services.access.declared.add_tag(
            principal.account, name, wanted, application_specific=scope, user_specific=of_user
        )
    except Conflict:
        raise Fault(CHOICES.tag_exists) from None
    return MethodResult({"result": True})


def _name(sent: Any, what: str, *, characters: int) -> str:
    """Also at most 256 bytes, as the streams' names are. Raises Fault."""
    if not isinstance(sent, str) or not sent:
        raise Fault(CHOICES.required.format(what))
    if len(sent) > characters or len(sent.encode()) > CHOICES.name_bytes or "\0" in sent:
        raise Fault(CHOICES.invalid.format(what))
    return sent


def _description(sent: Any) -> str | None:
    if sent is None:
        return None
    if not isinstance(sent, str) or len(sent) > CHOICES.description_characters or "\0" in sent:
        raise Fault(CHOICES.invalid.format("description"))
    return sent


def _attributes(sent: Any) -> dict[str, ValueType]:
    """By name, each once."""
    if sent is None:
        return {}
    if not isinstance(sent, list) or not all(isinstance(each, dict) for each in sent):
        raise Fault(CHOICES.invalid.format("eventAttributes"))
    found: dict[str, ValueType] = {}
    for each in sent:
        name = _name(each.get("name"), "attribute name", characters=CHOICES.attribute_name_characters)
        if name in found:
            raise Fault(CHOICES.invalid.format("eventAttributes"))
        found[name] = _type(each.get("type"), ValueType.PRICE)
    return found


def _type(sent: Any, last: ValueType) -> ValueType:
    """A number from 1 to that of the `last`, or the same as digits."""
    if isinstance(sent, str) and len(sent) == 1 and sent.isdecimal():
        sent = int(sent)
    if not isinstance(sent, int) or isinstance(sent, bool) or not 1 <= sent <= last:
        raise Fault(CHOICES.invalid.format("type"))
    return ValueType(sent)


def _flag(sent: Any, what: str) -> bool | None:
    """0 and 1 count too; null is absent."""
    if sent is None:
        return None
    if not isinstance(sent, int) or sent not in {0, 1}:
        raise Fault(CHOICES.invalid.format(what))
    return bool(sent)
