"""The two forms of an error, whatever failed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from litestar.testing import RequestFactory

from airtally.kit.errors import (
    BadRequest,
    Failure,
    Forbidden,
    Internal,
    MethodNotAllowed,
    NotFound,
    StorageFull,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from airtally.vendors.slate.errors import TokenRefused, respond

CASES = [
    (BadRequest("m"), 400, "InvalidParameterException", 400, "invalid_request"),
    (Unauthorized("m"), 401, "UnauthorizedException", 401, "invalid_request"),
    (Forbidden("m"), 403, "AccessDeniedException", 403, "invalid_request"),
    (NotFound("m"), 404, "ResourceNotFoundException", 404, "invalid_request"),
    (MethodNotAllowed("m"), 405, "MethodNotAllowedException", 405, "invalid_request"),
    (TooManyRequests("m"), 429, "ThrottlingException", 429, "invalid_request"),
    (Internal("m"), 500, "InternalServerErrorException", 500, "server_error"),
    (Unavailable("m"), 503, "ServiceUnavailableException", 503, "temporarily_unavailable"),
    (StorageFull("m"), 503, "ServiceUnavailableException", 503, "temporarily_unavailable"),
    (TokenRefused("invalid_client", "m"), 401, "UnauthorizedException", 401, "invalid_client"),
]


def answer(failure: Failure, path: str) -> Any:
    return respond(failure, RequestFactory().get(path))


@pytest.mark.parametrize(("failure", "status", "code", "token_status", "error"), CASES)
def test_both_forms(failure: Failure, status: int, code: str, token_status: int, error: str) -> None:
    listing = answer(failure, "/apis/v2/accounts")
    assert (listing.status_code, msgspec.json.decode(listing.content)) == (status, {"code": code, "message": "m"})
    token = answer(failure, "/auth/o2/token/")
    body = msgspec.json.decode(token.content)
    assert (token.status_code, body) == (token_status, {"error": error, "error_description": "m"})
    for each in (listing, token):
        assert ("Retry-After" in each.headers) == (status in {429, 503})
        assert ("Allow" in each.headers) == (status == 405)


def test_a_form_that_is_too_large() -> None:
    token = answer(TooLarge("m"), "/auth/o2/token")
    assert (token.status_code, b"Malformed request" in token.content) == (400, True)
    assert answer(TooLarge("m"), "/apis/v2/accounts").status_code == 413
