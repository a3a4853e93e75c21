"""Issues tokens to Slate clients for an authorization code or a refresh token: docs/vendors/slate.md#2."""

from __future__ import annotations

import re
import secrets as random
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from airtally.accounts.accounts import Account
from airtally.accounts.authentication import ACCESS_US, SKEW_US, Authentication
from airtally.accounts.kinds import access_token, refresh_token
from airtally.accounts.principal import Principal
from airtally.accounts.secrets import Secrets
from airtally.database.rows import values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import keys, slate_codes
from airtally.kit import attempts
from airtally.kit.clock import Clock
from airtally.kit.errors import BadRequest, NotFound
from airtally.kit.time import DAY_US, SECOND_US

KIND = "slate"
CODE_US = 300 * SECOND_US
_KEPT_US = DAY_US
_ISSUED = (slate_codes.c.key_id, slate_codes.c.redirect_uri, slate_codes.c.expires_at, slate_codes.c.used_at)
_REDIRECT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[!-~]{1,2000}")


class GrantRefused(BadRequest):
    """The code, redirect URI or refresh token is invalid; `parameter` is the field that holds it."""

    def __init__(self, parameter: str) -> None:
        super().__init__(f"The request has an invalid grant parameter : {parameter}")
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Code:
    """`expires_at` in microseconds UTC."""

    code: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """What is kept of a code, which is not the code. Times in microseconds UTC; `used_at`: None if it was not."""

    key_id: int
    redirect_uri: str
    expires_at: int
    used_at: int | None


@dataclass(frozen=True, slots=True)
class Tokens:
    access_token: str
    refresh_token: str
    lifetime_us: int = ACCESS_US


class Grants:
    """Thread-safe: every call is one transaction. `client` is a principal whose secret was checked."""

    def __init__(self, store: MetadataStore, secrets: Secrets, clock: Clock, keys: Authentication) -> None:
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._keys = keys

    def create_code(self, account: Account, client_id: str, redirect_uri: str) -> Code:
        """Create a code that can be exchanged once, within five minutes.

        Raises BadRequest, or NotFound if the account has no such client.
        """
        if not _REDIRECT.fullmatch(redirect_uri):
            raise BadRequest("The redirect URI cannot be used: expected an absolute URL")
        client = self._keys.authenticate(KIND, client_id)
        if client is None or client.account.id != account.id:
            raise NotFound(
                f"There is no client {client_id[:128]!r}", hint="`airtally key create --for slate` makes one"
            )
        now = self._clock.now_us()
        made = Code("AN" + random.token_urlsafe(24), now + CODE_US)
        values = {
            "code_hash": self._hash(made.code),
            "key_id": client.key_id,
            "redirect_uri": redirect_uri,
            "expires_at": made.expires_at,
        }
        with self._store.begin() as connection:
            connection.execute(slate_codes.delete().where(slate_codes.c.expires_at < now - _KEPT_US))
            connection.execute(insert(slate_codes).values(values))
        return made

    def codes(self, account: Account, limit: int) -> list[IssuedCode]:
        """Those of the account's clients, the last to expire first. They are kept for a day after they expired."""
        issued = select(*_ISSUED).join(keys, keys.c.id == slate_codes.c.key_id).where(keys.c.account_id == account.id)
        issued = issued.order_by(slate_codes.c.expires_at.desc(), slate_codes.c.code_hash).limit(limit)
        with self._store.read() as connection:
            return [IssuedCode(**values_of(row, _ISSUED)) for row in connection.execute(issued)]

    def trade(self, client: Principal, code: str, redirect_uri: str) -> Tokens:
        """Exchange a code for tokens, in one transaction. Raises GrantRefused."""
        tokens = Tokens(access_token(), refresh_token())
        with self._store.begin() as connection:
            self._spend(connection, client, code, redirect_uri)
            self._keys.issue_within(connection, client, "access", tokens.access_token)
            self._keys.issue_within(connection, client, "refresh", tokens.refresh_token, lifetime_us=None)
        return tokens

    def renew(self, client: Principal, refresh: str) -> Tokens:
        """Issue another access token; earlier ones and the refresh token stay valid. Raises GrantRefused."""
        holder = self._keys.authenticate_token(KIND, "refresh", refresh)
        if holder is None or holder.key_id != client.key_id:
            attempts.note(right=False)
            raise GrantRefused("refresh_token")
        tokens = Tokens(access_token(), refresh)
        self._keys.issue_token(client, "access", tokens.access_token)
        return tokens

    def _spend(self, connection: Connection, client: Principal, code: str, redirect_uri: str) -> None:
        """Mark the code as used, except if the redirect URI is wrong: the client may then try again."""
        now = self._clock.now_us()
        spent = (
            update(slate_codes)
            .where(
                slate_codes.c.code_hash == self._hash(code),
                slate_codes.c.key_id == client.key_id,
                slate_codes.c.expires_at.between(now + 1, now + CODE_US + SKEW_US),
                slate_codes.c.used_at.is_(None),
            )
            .values(used_at=now)
            .returning(slate_codes.c.redirect_uri)
        )
        meant = connection.execute(spent).scalar_one_or_none()
        if meant is None:
            attempts.note(right=False)
            raise GrantRefused("code")
        if meant != redirect_uri:
            raise GrantRefused("redirect_uri")  # rolls the update back

    def _hash(self, code: str) -> str:
        return self._secrets.hashed(f"{KIND}/code", code)
