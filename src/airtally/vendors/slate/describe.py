"""What the OpenAPI document says of the wire, with the names and choices that the handlers read.

docs/vendors/slate.md#2, #3, #4, #5, #6.
"""

from __future__ import annotations

from typing import Any

from litestar import Response

from airtally.console.errors import respond as respond_as_page
from airtally.datasets.files import MEDIA_TYPES
from airtally.kit.errors import BadRequest, Failure, Forbidden, Internal, NotFound, Unauthorized
from airtally.kit.openapi import (
    TEXT,
    WHOLE,
    JsonObject,
    answer,
    array_of,
    closed,
    content,
    nullable,
    opened,
    parameter,
    ref,
    text_of,
    whole,
)
from airtally.vendors.openapi.declared import VendorWire, WireOperation
from airtally.vendors.openapi.failures import ANY_BODY, ANY_CALL
from airtally.vendors.openapi.parts import FILE_PARAMETERS, PROBLEM, QUALITY, file_responses
from airtally.vendors.slate import downloads, links, oauth, params, window
from airtally.vendors.slate.choices import CHOICES
from airtally.vendors.slate.errors import CODES, JSON, TOKEN_PATH, TokenRefused
from airtally.web.requests import AnyRequest

_NAMED = closed({"id": TEXT, "name": TEXT})
_DAY = text_of(format="date")
_MOMENT = text_of(format="date-time")
_FILE = closed(
    {
        "id": TEXT,
        "name": TEXT,
        "downloadUrl": text_of(format="uri"),
        "numRows": WHOLE,
        "reportDateBegin": _DAY,
        "reportDateEnd": _DAY,
        "modifiedDate": _MOMENT,
        "expirationDate": _MOMENT,
    }
)
_FORM: JsonObject = {
    "anyOf": [
        opened({oauth.GRANT_TYPE: {"const": grant}, **dict.fromkeys(fields, text_of(minLength=1))})
        for grant, fields in oauth.FIELDS.items()
    ]
}
_SCHEMAS: dict[str, JsonObject] = {
    **PROBLEM,
    "Named": _NAMED,
    "Business": closed({"id": TEXT, "name": TEXT, "territory": TEXT}, ["territory"]),
    "File": _FILE,
    "TokenRequest": _FORM,
    "Tokens": closed(
        {"access_token": TEXT, "refresh_token": TEXT, "token_type": {"const": "bearer"}, "expires_in": WHOLE}
    ),
    "Error": closed({"code": text_of(*CODES.values()), "message": TEXT}),
    "TokenError": closed({"error": TEXT, "error_description": TEXT}),
}
_TOKENS = {"access_token": "Atza|…", "refresh_token": "Atzr|…", "token_type": "bearer", "expires_in": 3600}
_REFRESH = {
    oauth.GRANT_TYPE: "refresh_token",
    "refresh_token": "Atzr|…",
    "client_id": "amzn1.application-oa2-client.…",
    "client_secret": "…",
}
_FILE_EXAMPLE = {
    "id": "data987-20261122T000000Z-000",
    "name": "subscription_event_log_20261122T000000Z_000.csv",
    "downloadUrl": "https://airtally.example/files/data987-20261122T000000Z-000?X-Amz-Date=…",
    "numRows": 1842,
    "reportDateBegin": "2026-11-21",
    "reportDateEnd": "2026-11-22",
    "modifiedDate": "2026-11-22T00:00:00.000Z",
    "expirationDate": "2026-11-22T11:00:00.000Z",
}
_TIME_FORMS = "RFC 3339, also without zone (UTC) and as a day alone (midnight UTC)."
_PAGE = (
    parameter(
        "query", params.LIMIT, whole(1, default=CHOICES.default_limit), f"At most {CHOICES.largest_limit} count."
    ),
    parameter("query", params.OFFSET, whole(0, default=0), "Pages before this one; of some keys, items before it."),
)
_WINDOW = (
    parameter("query", window.START, _MOMENT, f"Files published since then; {_TIME_FORMS}"),
    parameter("query", window.END, _MOMENT, f"Files published until then; {_TIME_FORMS}"),
)
_LEVELS = ("slate_account", "group", "business", "dataset")
_TOKEN_REFUSALS = (
    TokenRefused("invalid_request", CHOICES.malformed),
    TokenRefused("invalid_request", CHOICES.missing + "refresh_token"),
    TokenRefused("invalid_client", CHOICES.invalid_client),
    TokenRefused("invalid_grant", f"{CHOICES.invalid_grant}code"),
    TokenRefused("invalid_grant", f"{CHOICES.invalid_grant}redirect_uri"),
    TokenRefused("invalid_grant", CHOICES.revoked + CHOICES.revoked_more),
    TokenRefused("unsupported_grant_type", CHOICES.unsupported_grant),
)


def _listing_operation(name: str, path: str, item: str, example: JsonObject, *, files: bool = False) -> WireOperation:
    """`path` below `/apis/v2`; `item` is the name of a schema."""
    levels = [each for each in _LEVELS if f"{{{each}}}" in path]
    body = closed({"total": WHOLE, "next": nullable(text_of(format="uri")), "data": array_of(ref(item))})
    page = {"total": 1, "next": None, "data": [example]}
    return WireOperation(
        id=name,
        method="GET",
        path=f"/apis/v2{path}",
        section=5 if files else 4,
        summary=name.replace("_", " ").capitalize(),
        security=["token"],
        parameters=[
            *(parameter("path", each, text_of(minLength=1), "An id of the listing above.") for each in levels),
            *(*_PAGE, *(_WINDOW if files else ())),
        ],
        success={200: answer("A page of them.", content(body, None, JSON, page=page), **QUALITY)},
        failures=[
            *(
                *ANY_CALL,
                Unauthorized(CHOICES.unauthorized),
                BadRequest(f"{params.LIMIT} must be a whole number, 1 or more"),
            ),
            *([NotFound("There is no group 'x' here")] if levels else ()),
        ],
    )


def _respond_of_files(failure: Failure, request: AnyRequest) -> Response[Any]:
    """The download's own failures are XML; what fails before or beside it is as everywhere on the site."""
    beside = isinstance(failure, BadRequest | Internal)
    return respond_as_page(failure, request) if beside else downloads.failed(request, failure)


_LISTINGS = (
    _listing_operation("list_accounts", "/accounts", "Named", {"id": "123456", "name": "Northwind Pictures"}),
    _listing_operation("list_groups", "/accounts/{slate_account}", "Named", {"id": "7890", "name": "Channels"}),
    _listing_operation(
        *("list_businesses", "/accounts/{slate_account}/{group}", "Business"),
        {"id": "abc123", "name": "Northwind Max", "territory": "US"},
    ),
    _listing_operation(
        *("list_datasets", "/accounts/{slate_account}/{group}/{business}/datasets", "Named"),
        {"id": "data987", "name": "Subscription"},
    ),
    _listing_operation(
        *("list_files", "/accounts/{slate_account}/{group}/{business}/datasets/{dataset}", "File", _FILE_EXAMPLE),
        files=True,
    ),
)
_TOKEN = WireOperation(
    id="get_tokens",
    method="POST",
    path=TOKEN_PATH,
    section=2,
    summary="Trade a code or a refresh token for an access token",
    about="Fields that the grant does not need are ignored; of a repeated one the last counts.",
    body={"required": True, "content": content(ref("TokenRequest"), None, oauth.FORM, refresh=_REFRESH)},
    success={
        200: answer(
            *("Tokens.", content(ref("Tokens"), None, JSON, tokens=_TOKENS)),
            Cache_Control="No-store.",
            Pragma="No-cache.",
        )
    },
    failures=[*ANY_CALL, *ANY_BODY, *_TOKEN_REFUSALS],
    error={0: ref("TokenError")},
)
_DOWNLOAD = WireOperation(
    id="get_file",
    method="GET",
    path="/files/{file_id}",
    section=6,
    summary="Fetch a dataset's file by its link",
    about="The `downloadUrl` of a listing; the link is the permission. Failures are the XML of a file store.",
    parameters=[
        parameter("path", "file_id", text_of(minLength=1), "The file's id."),
        *(parameter("query", each, TEXT, "As in the link.", required=True) for each in links.PARAMETERS),
        *FILE_PARAMETERS,
    ],
    success=file_responses(tuple(MEDIA_TYPES.values())),
    failures=[*ANY_CALL, Forbidden("Request has expired"), NotFound("There is no such file")],
    respond=_respond_of_files,
    error={0: ref("Problem")},
    head=True,
)

WIRE = VendorWire(
    title="Prime Video Slate Datasets API v2",
    about="""
    Files of an account's changelogs, listed by business and publication time, for clients that change only their base
    URL. Errors have `code` and `message`, at the token endpoint `error` and `error_description`. Another method is 405,
    `OPTIONS` and `HEAD` too; another path is 404.
    """,
    schemas=_SCHEMAS,
    security={"token": {"type": "http", "scheme": "bearer", "description": "An access token, `Atza|…`."}},
    error={0: ref("Error")},
    operations=(_TOKEN, *_LISTINGS, _DOWNLOAD),
)
