"""What each method takes and answers, for the OpenAPI document.

docs/vendors/pushwoosh.md#3, #4, #5, #6, #7, #8, #10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airtally.accounts.declared import ValueType
from airtally.jobs.queue import TooManyJobs
from airtally.kit.errors import Failure
from airtally.kit.openapi import TEXT, WHOLE, JsonObject, array_of, closed, opened, text_of
from airtally.statistics.asked import Operator
from airtally.vendors.pushwoosh.choices import CHOICES
from airtally.vendors.pushwoosh.dates import DATE
from airtally.vendors.pushwoosh.errors import Failed, Fault, StillProcessing
from airtally.vendors.pushwoosh.events import LATEST_SECONDS
from airtally.vendors.pushwoosh.statistics import REQUEST_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodForm:
    """`fields` are those of the request, by name; all but the `optional` ones are needed. `response`: None for null.

    `example` is a request, `answered` what its answer has under `response`. `failures` beside those of the caller.
    """

    summary: str
    section: int
    fields: Mapping[str, Mapping[str, Any]]
    example: JsonObject
    optional: Sequence[str] = ()
    response: Mapping[str, Any] | None = None
    answered: object = None
    failures: Sequence[Failure] = ()
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceForm(MethodForm):
    """Of a method without a server token."""

    section: int = 8
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    example: JsonObject = field(default_factory=dict)


AUTH, APPLICATION, HWID = "auth", "application", "hwid"
_NULL: JsonObject = {"type": "null"}
_DATED = text_of(pattern=f"^{DATE.pattern}$")
_NAME = text_of(minLength=1, maxLength=256)
_NUMBER: JsonObject = {
    "anyOf": [{**WHOLE, "minimum": -(2**63), "maximum": 2**63 - 1}, text_of(pattern="^-?[0-9]{1,18}$")]
}
_OPTIONAL_NUMBER: JsonObject = {"anyOf": [*_NUMBER["anyOf"], _NULL]}
_OPTIONAL_TEXT: JsonObject = {"type": ["string", "null"]}
_FLAG: JsonObject = {"anyOf": [{"type": "boolean"}, {"enum": [0, 1]}, _NULL]}
_USER: JsonObject = {"type": ["string", "integer", "null"], "description": "The user of the device."}
_VALUES: JsonObject = {"type": ["object", "null"], "description": "Values by name; docs/vendors/pushwoosh.md#9."}
_DEVICE = {APPLICATION: TEXT, HWID: _NAME}
_CONDITION = opened(
    {
        "name": TEXT,
        "operator": text_of(*Operator, description="In any case."),
        "values": array_of({"type": ["string", "number", "boolean"]}),
    },
    optional=["values"],
)
_TAG = opened(
    {
        "name": text_of(minLength=1, maxLength=CHOICES.tag_name_characters),
        "type": {"enum": [int(each) for each in ValueType]},
        "application_specific": _FLAG,
        "user_specific": _FLAG,
    },
    optional=["application_specific", "user_specific"],
)
_ATTRIBUTE = opened(
    {
        "name": text_of(minLength=1, maxLength=CHOICES.attribute_name_characters),
        "type": {"enum": [int(each) for each in ValueType if each <= ValueType.PRICE]},
    }
)
_SCHEDULED = closed({"request_id": text_of(pattern=f"^{REQUEST_ID.pattern}$")})
_HOURS = array_of(closed({"date": TEXT, "count": WHOLE}))
_SKIPPED = array_of(closed({"tag": TEXT, "reason": TEXT}))

_TOKEN = {AUTH: "AUTH"}
_ID = "DC1_00112233445566778899aabbccddeeff"
_ONE_DEVICE = {APPLICATION: "A1B2C-D3E4F", HWID: "dev-1"}
_TOO_MANY = TooManyJobs("The account has as many unended jobs as it may")
_NEEDS_DEVICE = (Fault(CHOICES.required.format(HWID)), Fault(CHOICES.invalid.format(HWID)))
_NEEDS_EITHER = (Fault(CHOICES.required.format("hwid or userId")),)

READ_FORMS: Mapping[str, MethodForm] = {
    "getEventStatistics": MethodForm(
        summary="Count an event by hour",
        section=3,
        fields={
            AUTH: TEXT,
            APPLICATION: TEXT,
            "event": TEXT,
            "date_from": _DATED,
            "date_to": _DATED,
            "attributes": {**array_of(_CONDITION, maxItems=CHOICES.most_conditions), "type": ["array", "null"]},
        },
        optional=["attributes"],
        example={
            **_TOKEN,
            APPLICATION: "A1B2C-D3E4F",
            "event": "CartOpen",
            "date_from": "2026-03-10",
            "date_to": "2026-03-10",
            "attributes": [{"name": "source", "operator": "EQ", "values": ["push"]}],
        },
        response=_SCHEDULED,
        answered={"request_id": _ID},
        failures=[
            *map(Fault, (CHOICES.event_not_found, CHOICES.bad_date, CHOICES.dates_reversed, CHOICES.period_too_long)),
            *map(Fault, (CHOICES.attributes_no_array, CHOICES.too_many_attributes, CHOICES.attribute_not_found)),
            *(Fault(CHOICES.unknown_operator), Fault(CHOICES.bad_values), _TOO_MANY),
        ],
    ),
    "getTagStats": MethodForm(
        summary="Count devices by the values of a tag",
        section=6,
        fields={AUTH: TEXT, "tag": TEXT, "applications": {**array_of(TEXT), "type": ["array", "null"]}},
        optional=["applications"],
        example={**_TOKEN, "tag": "Topics", "applications": ["A1B2C-D3E4F"]},
        response=_SCHEDULED,
        answered={"request_id": _ID},
        failures=[Fault(CHOICES.tag_not_found), Fault(CHOICES.applications_no_array), _TOO_MANY],
    ),
    "getResults": MethodForm(
        summary="Fetch what a request counted",
        section=7,
        about=f"Waits up to {CHOICES.wait_seconds:g} seconds for a job under way.",
        fields={AUTH: TEXT, "request_id": TEXT},
        example={**_TOKEN, "request_id": _ID},
        response={"anyOf": [_HOURS, closed({"fileName": text_of(format="uri")})]},
        answered=[{"date": "2026-03-10 00:00", "count": 2}],
        failures=[Fault(CHOICES.request_not_found), StillProcessing(), Failed(CHOICES.request_failed)],
    ),
    "createEvent": MethodForm(
        summary="Declare an event",
        section=8,
        fields={
            AUTH: TEXT,
            APPLICATION: TEXT,
            "name": text_of(minLength=1, maxLength=CHOICES.event_name_characters),
            "description": {**_OPTIONAL_TEXT, "maxLength": CHOICES.description_characters},
            "eventAttributes": {**array_of(_ATTRIBUTE), "type": ["array", "null"]},
            "trackRevenue": _FLAG,
        },
        optional=["description", "eventAttributes", "trackRevenue"],
        example={
            **_TOKEN,
            APPLICATION: "A1B2C-D3E4F",
            "name": "CartOpen",
            "eventAttributes": [{"name": "source", "type": 2}],
        },
        response=closed({"event": WHOLE}),
        answered={"event": 351},
        failures=[Fault(CHOICES.required.format("name")), Fault(CHOICES.event_exists)],
    ),
    "addTag": MethodForm(
        summary="Declare a tag",
        section=8,
        fields={AUTH: TEXT, "tag": _TAG},
        example={**_TOKEN, "tag": {"name": "Topics", "type": 3}},
        response=closed({"result": {"const": True}}),
        answered={"result": True},
        failures=[Fault(CHOICES.not_an_object.format("tag")), Fault(CHOICES.tag_exists)],
    ),
}
_TAKEN = {
    name: DeviceForm(
        summary="Taken and not stored", section=section, fields=_DEVICE, example=_ONE_DEVICE, failures=_NEEDS_DEVICE
    )
    for section, names in (
        (8, ("applicationOpen", "pushStat")),
        (10, ("setBadge", "messageDeliveryEvent", "setPurchase", "deleteTags", "inboxStatus", "recordPopupFormEvent")),
    )
    for name in names
}
DEVICE_FORMS: Mapping[str, DeviceForm] = {
    "postEvent": DeviceForm(
        summary="Tell of an event",
        fields={
            **_DEVICE,
            "event": TEXT,
            "userId": _USER,
            "attributes": _VALUES,
            "timestampUTC": {"type": ["number", "null"], "minimum": 0, "exclusiveMaximum": LATEST_SECONDS},
        },
        optional=[HWID, "userId", "attributes", "timestampUTC"],
        example={**_ONE_DEVICE, "event": "CartOpen", "attributes": {"source": "push"}, "timestampUTC": 1773101100},
        response=closed({"code": TEXT}),
        answered={"code": CHOICES.in_app_code},
        failures=[*_NEEDS_EITHER, Fault(CHOICES.event_not_found), Fault(CHOICES.invalid.format("timestamp"))],
    ),
    "setTags": DeviceForm(
        summary="Set tags of a device, or of a user's devices",
        fields={**_DEVICE, "userId": _USER, "tags": {"type": "object", "description": str(_VALUES["description"])}},
        optional=[HWID, "userId"],
        example={**_ONE_DEVICE, "tags": {"Topics": ["sport"], "Unknown": 1}},
        response={"anyOf": [closed({"skipped": _SKIPPED}), _NULL]},
        answered={"skipped": [{"tag": "Unknown", "reason": "Tag not found"}]},
        failures=[*_NEEDS_EITHER, Fault(CHOICES.not_an_object.format("tags")), Fault(CHOICES.device_not_found)],
    ),
    "getTags": DeviceForm(
        summary="Get tags of a device, or of a user's devices",
        fields={**_DEVICE, "userId": _USER},
        optional=[HWID, "userId"],
        example=_ONE_DEVICE,
        response=closed({"result": {"type": "object"}}),
        answered={"result": {"Topics": ["sport"]}},
        failures=_NEEDS_EITHER,
    ),
    "registerDevice": DeviceForm(
        summary="Register a device, or change what is known of it",
        fields={
            **_DEVICE,
            "device_type": _NUMBER,
            "push_token": _OPTIONAL_TEXT,
            "language": _OPTIONAL_TEXT,
            "timezone": {**_OPTIONAL_NUMBER, "description": "Seconds east of UTC."},
            "userId": _USER,
            "email": _OPTIONAL_TEXT,
            "tags": _VALUES,
        },
        optional=["push_token", "language", "timezone", "userId", "email", "tags"],
        example={**_ONE_DEVICE, "device_type": 3, "push_token": "token", "language": "en"},
        failures=[*_NEEDS_DEVICE, Fault(CHOICES.required.format("device_type"))],
    ),
    "unregisterDevice": DeviceForm(
        summary="Remove a device's push token", fields=_DEVICE, example=_ONE_DEVICE, failures=_NEEDS_DEVICE
    ),
    "deleteDevice": DeviceForm(
        summary="Remove a device and its tags", fields=_DEVICE, example=_ONE_DEVICE, failures=_NEEDS_DEVICE
    ),
    "getConfig": DeviceForm(
        summary="Get the SDK's configuration",
        section=10,
        fields={APPLICATION: TEXT},
        example={APPLICATION: "A1B2C-D3E4F"},
        response=closed({"features": closed({})}),
        answered={"features": {}},
    ),
    "checkDevice": DeviceForm(
        summary="Ask whether a device is registered",
        section=10,
        fields=_DEVICE,
        example=_ONE_DEVICE,
        response=closed({"exist": {"type": "boolean"}, "push_token_exist": {"type": "boolean"}}),
        answered={"exist": True, "push_token_exist": True},
        failures=_NEEDS_DEVICE,
    ),
    "registerUser": DeviceForm(
        summary="Say whose a device is",
        section=10,
        fields={**_DEVICE, "userId": {"anyOf": [_NAME, WHOLE]}, "device_type": _OPTIONAL_NUMBER},
        optional=["device_type"],
        example={**_ONE_DEVICE, "userId": "ana"},
        failures=[*_NEEDS_DEVICE, Fault(CHOICES.required.format("userId"))],
    ),
    "getInApps": DeviceForm(
        summary="Get in-app messages, of which there are none",
        section=10,
        fields={APPLICATION: TEXT},
        example={APPLICATION: "A1B2C-D3E4F"},
        response=closed({"inApps": array_of({}, maxItems=0)}),
        answered={"inApps": []},
    ),
    "getPopupForms": DeviceForm(
        summary="Get forms, of which there are none",
        section=10,
        fields={APPLICATION: TEXT},
        example={APPLICATION: "A1B2C-D3E4F"},
        response=closed({"popup_forms": array_of({}, maxItems=0)}),
        answered={"popup_forms": []},
    ),
    "getInboxMessages": DeviceForm(
        summary="Get messages, of which there are none",
        section=10,
        fields={APPLICATION: TEXT},
        example={APPLICATION: "A1B2C-D3E4F"},
        response=closed({"messages": array_of({}), "deleted": array_of({}), "next": TEXT, "new_inbox": WHOLE}),
        answered={"messages": [], "deleted": [], "next": "", "new_inbox": 0},
    ),
    **_TAKEN,
}
