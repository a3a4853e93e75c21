"""Creates, imports, lists, revokes and authenticates the keys of every API."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from airtally.accounts.accounts import Account, lock_account
from airtally.accounts.audit import note_change
from airtally.accounts.authentication import ACCESS_US, Authentication
from airtally.accounts.kinds import KINDS, LEAST_CHARACTERS, Credentials, KeyKind, kind_of
from airtally.accounts.options import KeyOptions, check_applications, take_cdn
from airtally.accounts.owners import Owners
from airtally.accounts.principal import Principal
from airtally.accounts.secrets import Secrets
from airtally.accounts.users import User
from airtally.database.rows import AnyRow, values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, keys, tokens, users
from airtally.kit import attempts
from airtally.kit.clock import Clock
from airtally.kit.errors import BadRequest, Conflict, NotFound
from airtally.kit.time import SECOND_US

__all__ = ["Created", "Key", "KeyOptions", "Keys", "Principal"]

#: Keys of an account, and tokens of a user, that are valid at once: each user's oldest token makes room for a new one.
MOST_KEYS = 10_000
MOST_TOKENS = 100
#: How long a key for a moment is valid where nothing takes it back.
_LENT_US = 5 * 60 * SECOND_US

_NO_OPTIONS = KeyOptions()
_LISTED = (
    *(keys.c.id, accounts.c.slug.label("account"), keys.c.kind, keys.c.hint, keys.c.scopes, keys.c.details),
    *(keys.c.created_at, keys.c.expires_at, keys.c.revoked_at, keys.c.last_used_at, keys.c.name, users.c.username),
)
_KEYS = select(*_LISTED).join_from(keys, accounts).outerjoin(users, users.c.id == keys.c.user_id)


@dataclass(frozen=True, slots=True)
class Created:
    """A new key. `credentials` has its secrets, which are shown only now; an import takes the same object.

    `short` has the lengths of secrets shorter than `LEAST_CHARACTERS`, by field.
    """

    id: int
    kind: str
    credentials: Credentials
    short: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ShortKey:
    """A valid key and the length of its shortest secret; None (unknown) if an earlier release made it."""

    id: int
    account: str
    kind: str
    length: int | None


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secrets. `hint` has the last characters of the presented one. Times in microseconds UTC.

    `name` was given for people. `username`: whose token it is; None for a key of the account.
    """

    id: int
    account: str
    kind: str
    hint: str
    scopes: tuple[str, ...]
    details: Mapping[str, Any]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None
    name: str | None
    username: str | None

    @classmethod
    def from_row(cls, row: AnyRow) -> Key:
        values = values_of(row, _LISTED)
        scopes, details = msgspec.json.decode(values["scopes"]), msgspec.json.decode(values["details"])
        return cls(**values | {"scopes": tuple(scopes), "details": details})

    def state(self, now_us: int) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now_us else "active"


class Keys(Authentication):
    """Thread-safe. See `Authentication` for recognising keys."""

    def __init__(self, store: MetadataStore, secrets: Secrets, clock: Clock) -> None:
        super().__init__(store, secrets, clock)
        self._owners = Owners(store)

    def create(
        self,
        account: Account,
        kind: str,
        options: KeyOptions = _NO_OPTIONS,
        *,
        expires_at: int | None = None,
        imported: Mapping[str, object] | None = None,
        user: User | None = None,
    ) -> Created:
        """Create a key, or import one that a client has already. Raises BadRequest or Conflict.

        An import tells whether anybody on the server has the key, so that it counts as a guess. `user`: the key is this
        user's token, which may do what the user may; its scopes, if any, narrow that.
        """
        of = kind_of(kind)
        if expires_at is not None and expires_at <= self._clock.now_us():
            raise BadRequest("The key would have expired already")
        credentials = of.make() if imported is None else of.check(imported)
        if imported is not None:
            attempts.note(right=False)
        check_applications(options, account, self._owners)
        try:
            with self._store.begin() as connection:
                self._make_room(connection, account, user)
                made = (take_cdn(connection, self._owners, account, credentials) if of.has_cdn else {}) | credentials
                row = self._row(account, of, made, options, user) | {"expires_at": expires_at}
                key_id = int(connection.execute(insert(keys).values(row).returning(keys.c.id)).scalar_one())
                alone = imported is not None and set(imported) == {"access_token"}  # it cannot be renewed
                self._insert_tokens(connection, of, made, key_id, static=options.static or alone)
                noted = {"kind": kind, "scopes": sorted(options.scopes)} | (
                    {"name": options.name} if options.name else {}
                )
                self._note(connection, "key.create", key_id, account.id, **noted)
        except IntegrityError:
            raise Conflict("This key is known already; a revoked or expired one cannot come back") from None
        lengths = {name: len(secret) for name, secret in of.secrets(made).items()}
        return Created(key_id, kind, made, {name: n for name, n in lengths.items() if n < LEAST_CHARACTERS})

    @contextmanager
    def lent(self, account: Account, kind: str, options: KeyOptions = _NO_OPTIONS) -> Iterator[Credentials]:
        """A key for a moment: at the end nothing is left of it but the audit trail's lines.

        It expires soon where this process dies meanwhile. Raises what `create` does.
        """
        made = self.create(account, kind, options, expires_at=self._clock.now_us() + _LENT_US)
        try:
            yield made.credentials
        finally:
            with self._store.begin() as connection:
                connection.execute(delete(tokens).where(tokens.c.key_id == made.id))
                connection.execute(delete(keys).where(keys.c.id == made.id))
                self._note(connection, "key.delete", made.id, account.id)
            self._cache.clear()

    def in_force(self, account: Account, kinds: Collection[str], *, limit: int) -> list[Key]:
        """Valid keys of some kinds, oldest first."""
        query = _KEYS.where(keys.c.account_id == account.id, keys.c.kind.in_(kinds), *self._in_force())
        with self._store.read() as connection:
            return [Key.from_row(row) for row in connection.execute(query.order_by(keys.c.id).limit(limit))]

    def all(
        self,
        account: Account | None = None,
        *,
        kinds: Collection[str] = (),
        after: int = 0,
        limit: int | None = None,
    ) -> list[Key]:
        """All keys, or those of some kinds, oldest first, with the revoked and expired ones, from the one after `after`."""
        query = _KEYS.where(keys.c.id > after).order_by(keys.c.id).limit(limit)
        query = query.where(keys.c.kind.in_(kinds)) if kinds else query
        if account is not None:
            query = query.where(keys.c.account_id == account.id)
        with self._store.read() as connection:
            return [Key.from_row(row) for row in connection.execute(query)]

    def short(self) -> list[ShortKey]:
        """Valid keys with a secret shorter than `LEAST_CHARACTERS` or of unknown length; oldest first."""
        legacy = exists().where(tokens.c.key_id == keys.c.id, tokens.c.use == "legacy").label("has_legacy")
        query = select(keys, accounts.c.slug, legacy).join_from(keys, accounts).order_by(keys.c.id)
        with self._store.read() as connection:
            rows = connection.execute(query.where(*self._in_force())).all()
        found = [ShortKey(row.id, row.slug, row.kind, self._shortest(row)) for row in rows]
        return [each for each in found if each.length is None or each.length < LEAST_CHARACTERS]

    def _shortest(self, row: Any) -> int | None:
        """For a key of an earlier release: by the sealed secret, or by the hint, which needs 16 characters."""
        if row.shortest_secret is not None:
            return int(row.shortest_secret)
        if row.secret_sealed is not None:
            return len(self._secrets.unseal(row.secret_sealed, row.kind))
        if KINDS[row.kind].hashed is not None or (row.hint and row.has_legacy):
            return None
        return LEAST_CHARACTERS if row.hint else LEAST_CHARACTERS - 1

    def get(self, key_id: int, account: Account) -> Key:
        """Raises NotFound."""
        with self._store.read() as connection:
            row = connection.execute(_KEYS.where(keys.c.id == key_id, keys.c.account_id == account.id)).one_or_none()
        if row is None:
            raise _no_key(key_id)
        return Key.from_row(row)

    def revoke(self, key_id: int, account: Account | None = None) -> None:
        """Revoke at once in this process, within a second in others. Revoking twice is no error. Raises NotFound."""
        where = [keys.c.id == key_id] + ([] if account is None else [keys.c.account_id == account.id])
        with self._store.begin() as connection:
            owner = connection.execute(select(keys.c.account_id).where(*where)).scalar_one_or_none()
            if owner is None:
                raise _no_key(key_id)
            open_key = update(keys).where(*where, keys.c.revoked_at.is_(None))
            if connection.execute(open_key.values(revoked_at=self._clock.now_us())).rowcount:
                self._note(connection, "key.revoke", key_id, owner)
        self._cache.clear()

    def forget(self) -> None:
        """Read keys anew: after a change of a user, whose tokens may now do more or less."""
        self._cache.clear()

    def _make_room(self, connection: Connection, account: Account, user: User | None) -> None:
        """Raises Conflict for an account with MOST_KEYS valid keys; revokes a user's tokens beyond the newest ones."""
        lock_account(connection, account.id)
        if user is None:
            mine = keys.c.account_id == account.id, keys.c.user_id.is_(None), *self._in_force()
            if connection.execute(select(func.count()).where(*mine)).scalar_one() >= MOST_KEYS:
                raise Conflict(f"The account has {MOST_KEYS} valid keys already", hint="Revoke some first")
            return
        theirs = select(keys.c.id).where(keys.c.user_id == user.id, *self._in_force()).order_by(keys.c.id.desc())
        oldest = connection.execute(theirs.offset(MOST_TOKENS - 1)).scalars().all()
        connection.execute(update(keys).where(keys.c.id.in_(oldest)).values(revoked_at=self._clock.now_us()))
        for key_id in oldest:
            self._note(connection, "key.revoke", key_id, account.id)

    def _in_force(self) -> tuple[ColumnElement[bool], ...]:
        unexpired = keys.c.expires_at.is_(None) | (keys.c.expires_at > self._clock.now_us())
        return (keys.c.revoked_at.is_(None), unexpired)

    def _note(self, connection: Connection, action: str, key_id: int, account_id: int, **details: object) -> None:
        note_change(connection, self._clock.now_us(), action, f"key {key_id}", account_id=account_id, **details)

    def _insert_tokens(
        self, connection: Connection, kind: KeyKind, credentials: Credentials, key_id: int, *, static: bool
    ) -> None:
        now = self._clock.now_us()
        for field, use in kind.tokens.items():
            if field not in credentials:
                continue
            row = {
                "token_hash": self._token_hash(kind.name, use, str(credentials[field])),
                "key_id": key_id,
                "use": use,
                "created_at": now,
                "expires_at": now + ACCESS_US if use == "access" and not static else None,
            }
            connection.execute(insert(tokens).values(row))

    def _row(
        self, account: Account, kind: KeyKind, credentials: Credentials, options: KeyOptions, user: User | None
    ) -> dict[str, Any]:
        looked_up = str(credentials[kind.lookup])
        hashed, sealed = kind.hashed, kind.sealed
        kept = {name: credentials[name] for name in ("cdn", "email") if name in credentials}
        return {
            "account_id": account.id,
            "kind": kind.name,
            "lookup_hash": self._secrets.hashed(kind.name, looked_up),
            "hint": looked_up[-4:] if len(looked_up) >= 16 else "",
            "secret_hash": None if hashed is None else self._secret_hash(kind.name, str(credentials[hashed])),
            "secret_sealed": None if sealed is None else self._secrets.seal(str(credentials[sealed]), kind.name),
            "shortest_secret": min(len(secret) for secret in kind.secrets(credentials).values()),
            "scopes": _to_json(sorted(options.scopes)),
            "details": _to_json(options.details(kind, token=user is not None) | kept),
            "name": options.checked_name(),
            "user_id": None if user is None else user.id,
            "created_at": self._clock.now_us(),
        }


def _no_key(key_id: int) -> NotFound:
    return NotFound(f"There is no key {key_id}", hint="`airtally key list` shows them")


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()
