"""What the OpenAPI document says of the wire: every method of `METHODS`, as its form says.

docs/vendors/pushwoosh.md#1, #2, #6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airtally.console.errors import respond as respond_as_page
from airtally.kit.errors import BadRequest, NotFound
from airtally.kit.openapi import TEXT, WHOLE, JsonObject, answer, closed, content, opened, parameter, ref, text_of
from airtally.vendors.openapi.declared import VendorWire, WireOperation
from airtally.vendors.openapi.failures import ANY_BODY, ANY_CALL
from airtally.vendors.openapi.parts import FILE_PARAMETERS, PROBLEM, QUALITY, cors_headers, file_responses, preflight
from airtally.vendors.pushwoosh import downloads
from airtally.vendors.pushwoosh.choices import CHOICES
from airtally.vendors.pushwoosh.errors import MEDIA_TYPE, PREFLIGHT, Fault, Restricted, cors
from airtally.vendors.pushwoosh.forms import APPLICATION, DEVICE_FORMS, READ_FORMS, DeviceForm, MethodForm
from airtally.vendors.pushwoosh.methods import METHODS, WRAPPED

_ROUTE = "/json/1.3/{name}"
_DEVICE_TOKEN = "deviceToken"  # noqa: S105 (the name of a security scheme)
_NULL: JsonObject = {"type": "null"}
_CORS = cors_headers(cors({}))
_CALLER = (
    *(*ANY_CALL, *ANY_BODY, BadRequest(CHOICES.malformed)),
    *(Fault(CHOICES.account_not_found), Fault(CHOICES.application_not_found), Restricted()),
)
#: The methods whose results say how current they are.
_CURRENT = {"getResults"}


def _method_operation(name: str, form: MethodForm) -> WireOperation:
    is_device = isinstance(form, DeviceForm)
    return WireOperation(
        id=name,
        method="POST",
        path=_ROUTE.format(name=name),
        route=_ROUTE,
        section=form.section,
        summary=form.summary,
        about=form.about,
        security=[_DEVICE_TOKEN, ""] if is_device else [],
        body={"required": True, "content": content(_request_schema(name, form), None, call={"request": form.example})},
        success={200: _method_answer(name, form)},
        failures=[*_CALLER, *form.failures],
    )


def _request_schema(name: str, form: MethodForm) -> JsonObject:
    """The wrapped request; of some methods it may also stand alone."""
    fields = opened(form.fields, form.optional)
    wrapped = opened({"request": fields})
    return wrapped if name in WRAPPED else {"anyOf": [wrapped, fields]}


def _method_answer(name: str, form: MethodForm) -> JsonObject:
    envelope: dict[str, Mapping[str, Any]] = {
        "status_code": {"const": 200},
        "status_message": {"const": "OK"},
        "response": form.response or _NULL,
    }
    example = {"status_code": 200, "status_message": "OK", "response": form.answered}
    headers = _CORS | (QUALITY if name in _CURRENT else {})
    return answer("Done.", content(closed(envelope), None, MEDIA_TYPE, ok=example), **headers)


_FORMS: dict[str, MethodForm] = {**READ_FORMS, **DEVICE_FORMS}
_FILE = WireOperation(
    id="get_tag_file",
    method="GET",
    path=f"{downloads.PATH}/{{name}}",
    section=6,
    summary="Fetch the file of a tag's statistics by its link",
    about="The `fileName` of a result; the link is the permission.",
    parameters=[
        parameter("path", "name", text_of(pattern=r"^[0-9a-f]{32}\.csv$"), "The file's name."),
        *FILE_PARAMETERS,
    ],
    success=file_responses([downloads.MEDIA_TYPE]),
    failures=[*ANY_CALL, NotFound("There is no such file, or it is no longer kept")],
    respond=respond_as_page,
    error={0: ref("Problem")},
    head=True,
)
_PREFLIGHT = preflight(
    *(_ROUTE, 1, [*PREFLIGHT, *cors({})]), [parameter("path", "name", text_of(minLength=1), "A method's name.")]
)

WIRE = VendorWire(
    title="Pushwoosh JSON API 1.3",
    about=f"""
    Statistics of events and tags, and the device methods that feed them, for clients that change only their base URL.
    Every answer has `status_code`, `status_message` and `response`, which is null on every error; most errors have HTTP
    status 200. The methods that read and declare need `auth`; device methods need `{APPLICATION}` alone, or a device
    token where the server asks for it. Another method is answered with HTTP 200 and status_code 404, another verb with
    405.
    """,
    schemas={
        **PROBLEM,
        "Error": closed({"status_code": WHOLE, "status_message": TEXT, "response": _NULL}),
    },
    security={
        _DEVICE_TOKEN: {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token` and a device token.",
        }
    },
    error={0: ref("Error")},
    operations=(*(_method_operation(name, _FORMS[name]) for name in METHODS), _PREFLIGHT, _FILE),
)
