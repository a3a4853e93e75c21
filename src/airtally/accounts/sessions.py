"""Sessions of the pages: a random token in a cookie, its hash in the store."""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass

from sqlalchemy import insert, select

from airtally.accounts.secrets import Secrets
from airtally.accounts.users import User, Users
from airtally.kit.clock import Clock
from airtally.kit.time import DAY_US
from airtally.metadata.store import MetadataStore
from airtally.metadata.tables import sessions

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
        """A new session's token; sessions over their time are dropped on the way."""
        token, now = random.token_urlsafe(32), self._clock.now_us()
        row = {
            "token_hash": self._hash(token),
            "user_id": user.id,
            "csrf_token": random.token_urlsafe(32),
            "expires_at": now + LIFE_US,
        }
        with self._store.begin() as connection:
            connection.execute(sessions.delete().where(sessions.c.expires_at <= now))
            connection.execute(insert(sessions).values(row))
        return token

    def get(self, token: str) -> Session | None:
        """None for an unknown, ended or expired one."""
        query = select(sessions.c.user_id, sessions.c.csrf_token).where(
            sessions.c.token_hash == self._hash(token), sessions.c.expires_at > self._clock.now_us()
        )
        with self._store.read() as connection:
            row = connection.execute(query).one_or_none()
        user = None if row is None else self._users.get(row.user_id)
        return None if row is None or user is None else Session(user, row.csrf_token)

    def end(self, token: str) -> None:
        with self._store.begin() as connection:
            connection.execute(sessions.delete().where(sessions.c.token_hash == self._hash(token)))

    def _hash(self, token: str) -> str:
        return self._secrets.hashed("session", token)
