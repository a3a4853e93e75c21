"""Headers of requests and answers that many operations share."""

from __future__ import annotations

from airtally.accounts.request_keys import MAX_KEY_BYTES
from airtally.api.operation import Operation
from airtally.kit.openapi import TEXT, JsonObject, header, parameter, ref

Headers = JsonObject

LIMIT_HEADERS: Headers = {name: ref(name, "headers") for name in ("RateLimit", "RateLimit-Policy")}

_ACCOUNT = parameter(
    *("header", "Airtally-Account", TEXT),
    "The account that the call is about, by its slug. Only an operator names another than the caller's own.",
)
_KEY = parameter(
    *("header", "Idempotency-Key", {"type": "string", "minLength": 1, "maxLength": MAX_KEY_BYTES}),
    "Any text that names this request: sent again within a day, it gets the answer of the first one and changes "
    "nothing. Another request with the same key is refused.",
)
_KNOWN = parameter(*("header", "If-None-Match", TEXT), "An `ETag` of an earlier answer: 304 if it is still that one.")

#: Of every document that refers to them.
PARAMETER_COMPONENTS = {"Account": _ACCOUNT, "IdempotencyKey": _KEY, "IfNoneMatch": _KNOWN}
HEADER_COMPONENTS: Headers = {
    "RateLimit": header(
        'Calls that the key has left and seconds until the window ends, as in `"calls";r=1199;t=42`. '
        "Absent if the server has no limit."
    ),
    "RateLimit-Policy": header('The limit of the key: `"calls";q=1200;w=60` is 1200 calls in 60 seconds.'),
    "ETag": header("Names this answer; send it as `If-None-Match` to get it only if it has changed."),
    "Idempotency-Replayed": header("`true` if this is the answer of an earlier request.", {"const": "true"}),
}


def request_headers(operation: Operation) -> list[JsonObject]:
    found = [] if operation.declared.permission is None else ["Account"]
    found += ["IdempotencyKey"] if operation.takes_key or operation.declared.keeps_key else []
    found += ["IfNoneMatch"] if has_tag(operation) else []
    return [ref(name, "parameters") for name in found]


def answer_headers(operation: Operation) -> Headers:
    found: Headers = {name: header(text) for name, text in operation.declared.headers.items()}
    if has_tag(operation):
        found["ETag"] = ref("ETag", "headers")
    if operation.takes_key:
        found["Idempotency-Replayed"] = ref("Idempotency-Replayed", "headers")
    return found | ({} if operation.declared.permission is None else LIMIT_HEADERS)


def has_tag(operation: Operation) -> bool:
    """Whether its answers have an `ETag`: those that are read, as JSON."""
    declared = operation.declared
    return declared.method == "GET" and not declared.raw and operation.answer is not None
