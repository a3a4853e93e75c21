"""What the document says of `/healthz`, `/readyz` and `/metrics`, which are for probes and Prometheus."""

from __future__ import annotations

from airtally.api.openapi.errors import Problems
from airtally.kit.errors import BadRequest, Internal, TooManyRequests, Unauthorized
from airtally.kit.openapi import FLAG, TEXT, JsonObject, answer, array_of, content, opened

TAG: JsonObject = {"name": "Server", "description": "Probes and metrics of the server, at its root."}

_READY = opened(
    {
        "ready": FLAG,
        "checks": {"type": "object", "additionalProperties": TEXT, "description": "For operators: what is checked."},
        "remarks": array_of(TEXT, description="For operators: what somebody should look at."),
    },
    optional=("checks", "remarks"),
)
_ANYBODY: list[JsonObject] = [{}]
_OPERATORS: list[JsonObject] = [{"bearer": []}, {}]


def paths(problems: Problems) -> JsonObject:
    plain = {"text/plain": {"schema": TEXT}}
    failures = problems.responses([BadRequest, TooManyRequests, Internal])
    refused = problems.responses([Unauthorized])
    ready = {str(status): answer(text, content(_READY, {"ready": status == 200})) for status, text in _STATES.items()}
    return {
        "/healthz": _probe("is_alive", "Whether the process answers", {"200": answer("It does.", plain)} | failures),
        "/readyz": _probe("is_ready", "Whether requests are served", ready | failures, _OPERATORS),
        "/metrics": _probe(
            *("read_metrics", "Metrics for Prometheus"),
            {"200": answer("Prometheus' text format.", plain)} | refused | failures,
            _OPERATORS,
        ),
    }


_STATES = {200: "Every part works.", 503: "A part does not."}


def _probe(name: str, summary: str, responses: JsonObject, security: list[JsonObject] = _ANYBODY) -> JsonObject:
    about = "The bearer token is that of AIRTALLY_OPERATIONS_TOKEN; requests from the machine itself need none."
    found: JsonObject = {"operationId": name, "tags": [TAG["name"]], "summary": summary, "security": security}
    if security is _OPERATORS:
        found["description"] = about
    return {"get": found | {"responses": responses}}
