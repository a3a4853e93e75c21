"""Authenticates presented keys and tokens."""

from __future__ import annotations

import hmac
import time
from types import MappingProxyType
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, insert, select, update

from airtally.accounts.accounts import ACCOUNT_COLUMNS, IS_OPEN, Account
from airtally.accounts.last_use import LastUse
from airtally.accounts.permissions import of_scopes, of_token
from airtally.accounts.principal import Principal, PrincipalCache
from airtally.accounts.secrets import Secrets
from airtally.database.rows import AnyRow
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, keys, tokens, users
from airtally.kit import attempts
from airtally.kit.clock import Clock
from airtally.kit.errors import NotFound
from airtally.kit.time import SECOND_US

#: Lifetime of an access token.
ACCESS_US = 3600 * SECOND_US
#: Allowed difference between servers' clocks. A token made later than that in the future was made before the clock
#: was set back.
SKEW_US = 60 * SECOND_US

_KEY = (
    select(
        *(keys.c.id.label("key_id"), keys.c.kind, keys.c.scopes, keys.c.details, keys.c.expires_at),
        *(keys.c.last_used_at, *ACCOUNT_COLUMNS, keys.c.user_id, users.c.username, users.c.role),
    )
    .join_from(keys, accounts)
    .outerjoin(users, users.c.id == keys.c.user_id)
    .where(keys.c.revoked_at.is_(None), keys.c.user_id.is_(None) | users.c.id.is_not(None), IS_OPEN)
)
_TOKEN = _KEY.join(tokens, tokens.c.key_id == keys.c.id).add_columns(
    tokens.c.expires_at.label("token_expires_at"), tokens.c.created_at.label("token_created_at")
)


class Authentication:
    """Thread-safe. `authenticate` may read the store, so not on the event loop; `cached` never blocks."""

    def __init__(self, store: MetadataStore, secrets: Secrets, clock: Clock) -> None:
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._cache = PrincipalCache()
        self._last_use = LastUse(store, clock)

    def close(self) -> None:
        """Write the recorded last uses. Call this before the store is closed."""
        self._last_use.close()

    def cached(self, kind: str, presented: str) -> Principal | None:
        """The principal of a key authenticated less than a second ago, else None: call `authenticate`. Never blocks."""
        return self._cache.get(self._secrets.hashed(kind, presented), self._clock.now_us())

    def cached_token(self, kind: str, use: str, presented: str) -> Principal | None:
        """As `cached`, for an OAuth token."""
        return self._cache.get(self._token_hash(kind, use, presented), self._clock.now_us())

    def authenticate(self, kind: str, presented: str) -> Principal | None:
        """The principal that presents a token, key or client id of the kind; None if unknown, revoked or expired."""
        hashed = self._secrets.hashed(kind, presented)
        found = self._cache.get(hashed, self._clock.now_us())
        if found is None:
            found = self._read(hashed, _KEY.where(keys.c.kind == kind, keys.c.lookup_hash == hashed))
        return self._noted(found)

    def authenticate_token(self, kind: str, use: str, presented: str) -> Principal | None:
        """As `authenticate`, for an OAuth token. `use`: access or refresh."""
        hashed = self._token_hash(kind, use, presented)
        found = self._cache.get(hashed, self._clock.now_us())
        if found is None:
            found = self._read(hashed, _TOKEN.where(keys.c.kind == kind, tokens.c.token_hash == hashed))
        return self._noted(found)

    def issue_token(self, principal: Principal, use: str, text: str, *, lifetime_us: int | None = ACCESS_US) -> None:
        """Store `text` as a token of the principal's key, and delete expired tokens."""
        with self._store.begin() as connection:
            self.issue_within(connection, principal, use, text, lifetime_us=lifetime_us)

    def issue_within(
        self,
        connection: Connection,
        principal: Principal,
        use: str,
        text: str,
        *,
        lifetime_us: int | None = ACCESS_US,
    ) -> None:
        """As `issue_token`, inside the caller's transaction."""
        now = self._clock.now_us()
        connection.execute(tokens.delete().where(tokens.c.expires_at <= now))
        values = {
            "token_hash": self._token_hash(principal.kind, use, text),
            "key_id": principal.key_id,
            "use": use,
            "created_at": now,
            "expires_at": None if lifetime_us is None else now + lifetime_us,
        }
        connection.execute(insert(tokens).values(values))

    def secret(self, principal: Principal) -> str:
        """The key's secret in plain text, for checking signatures. Raises NotFound if the kind keeps none."""
        sealed = self._column(principal, keys.c.secret_sealed)
        if sealed is None:
            raise NotFound(f"A key for {principal.kind} has no secret to be read")
        return self._secrets.unseal(sealed, principal.kind)

    def secret_matches(self, principal: Principal, presented: str) -> bool:
        """Compare a secret presented beside the first (Slate's client secret), in constant time."""
        kept = self._column(principal, keys.c.secret_hash)
        right = kept is not None and hmac.compare_digest(kept, self._secret_hash(principal.kind, presented))
        attempts.note(right=right)
        return right

    def _noted(self, found: Principal | None) -> Principal | None:
        attempts.note(right=found is not None)
        return found

    def _read(self, hashed: str, query: Select[Any]) -> Principal | None:
        read_at, generation = time.monotonic(), self._cache.generation
        with self._store.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        principal = _principal(row, self._token_expiry(hashed, row))
        if principal.expires_at is not None and principal.expires_at <= self._clock.now_us():
            return None
        self._cache.put(hashed, principal, read_at, generation)
        self._last_use.note(principal.key_id, row.last_used_at)
        return principal

    def _token_expiry(self, hashed: str, row: AnyRow) -> int | None:
        """When a token expires; None for never, and for a row without a token.

        A token made in the future, before the clock was set back, gets its lifetime from now on.
        """
        if "token_expires_at" not in row._fields or row.token_expires_at is None:
            return None
        now, expires_at, created_at = self._clock.now_us(), int(row.token_expires_at), row.token_created_at
        if created_at > now + SKEW_US:
            expires_at = now + expires_at - created_at
            changed = update(tokens).where(tokens.c.token_hash == hashed, tokens.c.created_at == created_at)
            with self._store.begin() as connection:
                connection.execute(changed.values(created_at=now, expires_at=expires_at))
        return expires_at

    def _column(self, principal: Principal, column: Any) -> Any:
        with self._store.read() as connection:
            return connection.execute(select(column).where(keys.c.id == principal.key_id)).scalar_one_or_none()

    def _token_hash(self, kind: str, use: str, text: str) -> str:
        return self._secrets.hashed(f"{kind}/{use}", text)

    def _secret_hash(self, kind: str, text: str) -> str:
        return self._secrets.hashed(f"{kind}/secret", text)


def _principal(row: AnyRow, token_expires_at: int | None) -> Principal:
    """Expires when the key or the token does, whichever is earlier."""
    expiries = [each for each in (row.expires_at, token_expires_at) if each is not None]
    return Principal(
        account=Account.from_row(row),
        key_id=row.key_id,
        kind=row.kind,
        scopes=_permissions(row),
        details=MappingProxyType(msgspec.json.decode(row.details)),
        expires_at=min(expiries, default=None),
        user=row.username,
    )


def _permissions(row: AnyRow) -> frozenset[str]:
    scopes = msgspec.json.decode(row.scopes)
    return of_scopes(scopes) if row.role is None else of_token(scopes, row.role)
