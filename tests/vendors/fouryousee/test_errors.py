from __future__ import annotations

import msgspec
import pytest

from airtally.kit.errors import (
    Failure,
    Internal,
    MethodNotAllowed,
    NotFound,
    StorageFull,
    TooManyRequests,
    Unauthorized,
)
from airtally.vendors.fouryousee.errors import InvalidReport, error_body

FAILURES = [
    Internal("Internal error: the server's log has the details"),
    StorageFull("No room"),
    TooManyRequests("x"),
    Unauthorized("x"),
    NotFound("Resource not found."),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.code)
@pytest.mark.parametrize("path", ["/v1/reports", "/v1/reports/"])
def test_every_failure_of_a_report_request_is_told_twice(failure: Failure, path: str) -> None:
    body = msgspec.json.decode(error_body(failure, "POST", path))
    assert list(body) == ["message", "details"]
    assert body["details"] == {"report": [body["message"]]}


@pytest.mark.parametrize("failure", [*FAILURES, MethodNotAllowed("Method PUT is not allowed here")])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/reports"), ("POST", "/v1/players"), ("PUT", "/v1/reports/1")]
)
def test_other_failures_are_a_message_alone(failure: Failure, method: str, path: str) -> None:
    assert list(msgspec.json.decode(error_body(failure, method, path))) == ["message"]


def test_problems_are_listed() -> None:
    body = error_body(InvalidReport(["one", "two"]), "POST", "/v1/reports")
    assert body == b'{"message":"Invalid report request","details":{"report":["one","two"]}}'
