"""Sessions of the console: a random token in a cookie, its hash in the store."""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from airtally.accounts.authentication import SKEW_US
from airtally.accounts.secrets import Secrets
from airtally.accounts.users import User, Users
from airtally.database.store import MetadataStore
from airtally.database.tables import sessions
from airtally.kit.clock import Clock
from airtally.kit.time import DAY_US

LIFE_US = 14 * DAY_US


@dataclass(frozen=True, slots=True)
class Session:
    """Who is logged in, and the token that each of their forms must carry."""

    user: User
    csrf_token: str


class Sessions:
    """Thread-safe. Every call reads or writes the store."""

    def __init__(self, store: MetadataStore, secrets: Secrets, users: Users, clock: Clock) -> None:
        self._store = store
        self._secrets = secrets
        self._users = users
        self._clock = clock

    def begin(self, user: User) -> str:
        """Start a session and return its token; expired sessions are deleted."""
        with self._store.begin() as connection:
            return self.begin_within(connection, user)

    def begin_within(self, connection: Connection, user: User) -> str:
        """As `begin`, in a transaction that does more."""
        token, now = random.token_urlsafe(32), self._clock.now_us()
        row = {
            "token_hash": self._hash(token),
            "user_id": user.id,
            "csrf_token": random.token_urlsafe(32),
            "expires_at": now + LIFE_US,
        }
        connection.execute(sessions.delete().where(sessions.c.expires_at <= now))
        connection.execute(insert(sessions).values(row))
        return token

    def get(self, token: str) -> Session | None:
        """None for an unknown, ended or expired session."""
        hashed, now = self._hash(token), self._clock.now_us()
        query = select(sessions.c.user_id, sessions.c.csrf_token, sessions.c.expires_at).where(
            sessions.c.token_hash == hashed, sessions.c.expires_at > now
        )
        with self._store.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is not None and row.expires_at > now + LIFE_US + SKEW_US:
            self._shorten(hashed, now + LIFE_US)
        user = None if row is None else self._users.get(row.user_id)
        return None if row is None or user is None else Session(user, row.csrf_token)

    def _shorten(self, hashed: str, expires_at: int) -> None:
        """After the clock was set back since the log-in: keep the session, but not for years."""
        with self._store.begin() as connection:
            connection.execute(update(sessions).where(sessions.c.token_hash == hashed).values(expires_at=expires_at))

    def end(self, token: str) -> None:
        with self._store.begin() as connection:
            connection.execute(sessions.delete().where(sessions.c.token_hash == self._hash(token)))

    def _hash(self, token: str) -> str:
        return self._secrets.hashed("session", token)
