"""`/api/v1/tokens` and `/api/v1/me`: what a user logs in to the native API with, and who a caller is."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

import msgspec

from airtally.accounts.acting import Actor, ActorKind, acting
from airtally.accounts.keys import KeyOptions
from airtally.accounts.permissions import Permission
from airtally.accounts.users import User
from airtally.api.operation import NoFields, OperationCall, PlainCall, operation
from airtally.api.times import shown_moment
from airtally.kit import attempts
from airtally.kit.errors import Unauthorized
from airtally.kit.time import DAY_US
from airtally.services import Services
from airtally.web.requests import AnyRequest, client_address, note_account

MAX_DAYS = 365


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """`scopes` narrow what the token may do; without any, it may do what the user may."""

    scopes: list[Permission] = msgspec.field(default_factory=list)
    days: Annotated[int, msgspec.Meta(ge=1, le=MAX_DAYS)] = 30


class TokenAnswer(msgspec.Struct, frozen=True):
    """`token` is shown now and never again."""

    token: str
    key_id: int
    expires_at: str


class CallerAnswer(msgspec.Struct, frozen=True):
    """`key_id` names the key that was presented, `user` whose token it is."""

    key_id: int
    user: str | None
    account: str
    permissions: list[str]
    expires_at: str | None


class TokenResource:
    def __init__(self, services: Services) -> None:
        self._access = services.access
        self._clock = services.clock

    @operation(
        *("POST", "/tokens", None, "Log in"),
        status=201,
        failures=(Unauthorized,),
        example={"days": 30},
        repeatable=False,
        logs_in=True,
    )
    def create_token(self, call: OperationCall[NoFields, NewToken]) -> TokenAnswer:
        """With a user's name and password by HTTP Basic.

        Gives a bearer token for the other operations, which may do what the user's role allows, until it expires or is
        revoked as a key.
        """
        host = client_address(call.request)
        user = self._user(call.request, host)
        note_account(call.request, user.account.slug)
        expires_at = self._clock.now_us() + call.body.days * DAY_US
        options = KeyOptions(scopes=frozenset(call.body.scopes))
        with acting(Actor(ActorKind.USER, user.username, host)):
            made = self._access.keys.create(user.account, "native", options, expires_at=expires_at, user=user)
        return TokenAnswer(str(made.credentials["token"]), made.id, shown_moment(expires_at))

    @operation("GET", "/me", Permission.READ, "Who the caller is")
    def get_caller(self, call: PlainCall) -> CallerAnswer:
        """The key, its account, and what it may do."""
        principal = call.principal
        if principal is None:
            raise Unauthorized("The call has no caller")
        return CallerAnswer(
            principal.key_id,
            principal.user,
            call.account.slug,
            sorted(principal.scopes),
            shown_moment(principal.expires_at),
        )

    def _user(self, request: AnyRequest, host: str) -> User:
        """Raises Unauthorized."""
        username, password = _basic_credentials(request)
        user = self._access.log_in.attempt(username, password, host)
        attempts.note(right=user is not None)
        if user is None:
            raise Unauthorized("The user name or the password is wrong")
        return user


def _basic_credentials(request: AnyRequest) -> tuple[str, str]:
    """The name and password of `Authorization: Basic`. Raises Unauthorized."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    try:
        text = base64.b64decode(value.strip().encode(), validate=True).decode() if kind.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError, UnicodeEncodeError):
        text = ""
    username, colon, password = text.partition(":")
    if not colon:
        raise Unauthorized("Authorization: Basic with a user's name and password is missing")
    return username, password
