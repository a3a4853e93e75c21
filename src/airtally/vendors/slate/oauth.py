"""`POST /auth/o2/token`: tokens for an authorization code or a refresh token.

docs/vendors/slate.md#2.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Response, Router, post
from litestar.params import RawBody

from airtally.accounts.principal import Principal
from airtally.kit.time import SECOND_US
from airtally.services import Services
from airtally.vendors.slate.choices import CHOICES
from airtally.vendors.slate.errors import JSON, TOKEN_PATH, TokenRefused
from airtally.vendors.slate.grants import KIND, GrantRefused, Tokens
from airtally.vendors.slate.services import slate_services
from airtally.vendors.vendor_api import refused_options
from airtally.web.requests import note_account

FORM = "application/x-www-form-urlencoded"
GRANT_TYPE = "grant_type"
#: The fields each grant type needs; the error names the first that is missing.
FIELDS = {
    "authorization_code": ("code", "client_id", "client_secret", "redirect_uri"),
    "refresh_token": ("refresh_token", "client_id", "client_secret"),
}


def routes(services: Services) -> list[Any]:
    @post(TOKEN_PATH, status_code=200, sync_to_thread=True, request_max_body_size=CHOICES.form_bytes)
    def token(request: Request[Any, Any, Any], body: RawBody) -> Response[bytes]:
        form = read_form(request.headers.get("content-type", FORM), body)
        check(form)
        client = _client(services, form)
        note_account(request, client.account.slug)
        return _token_response(_granted(services, client, form))

    return [Router("/", route_handlers=[refused_options(TOKEN_PATH), token])]


def read_form(media_type: str, body: bytes) -> dict[str, str]:
    """The fields of the form; the last value of a repeated field counts. Raises TokenRefused."""
    if media_type.partition(";")[0].strip().lower() != FORM:
        raise TokenRefused("invalid_request", CHOICES.malformed)
    try:
        pairs = parse_qsl(
            body.decode("ascii").strip() or f"{GRANT_TYPE}=",
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=CHOICES.form_fields,
        )
    except ValueError:
        raise TokenRefused("invalid_request", CHOICES.malformed) from None
    return dict(pairs)


def check(form: dict[str, str]) -> None:
    """Check that every field of the grant type is there; others are ignored. Raises TokenRefused."""
    grant = form.get(GRANT_TYPE) or _missed(GRANT_TYPE)
    if grant not in FIELDS:
        raise TokenRefused("unsupported_grant_type", CHOICES.unsupported_grant)
    for name in FIELDS[grant]:
        if not form.get(name):
            _missed(name)


def _missed(name: str) -> str:
    raise TokenRefused("invalid_request", CHOICES.missing + name)


def _client(services: Services, form: dict[str, str]) -> Principal:
    client = services.access.keys.authenticate(KIND, form["client_id"])
    if client is None or not services.access.keys.secret_matches(client, form["client_secret"]):
        raise TokenRefused("invalid_client", CHOICES.invalid_client)
    return client


def _granted(services: Services, client: Principal, form: dict[str, str]) -> Tokens:
    grants = slate_services(services).grants
    try:
        if form[GRANT_TYPE] == "refresh_token":
            return grants.renew(client, form["refresh_token"])
        return grants.trade(client, form["code"], form["redirect_uri"])
    except GrantRefused as refused:
        message = CHOICES.invalid_grant + refused.parameter
        if refused.parameter == "refresh_token":
            message = CHOICES.revoked + CHOICES.revoked_more
        raise TokenRefused("invalid_grant", message) from None


def _token_response(tokens: Tokens) -> Response[bytes]:
    body = {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "token_type": "bearer",
        "expires_in": tokens.lifetime_us // SECOND_US,
    }
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(msgspec.json.encode(body), headers=headers, media_type=JSON)
