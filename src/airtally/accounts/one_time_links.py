"""Links that work once: for the first account and its user, and to sign a person in without a password."""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, select, text

from airtally.accounts.accounts import Accounts
from airtally.accounts.audit import note_change
from airtally.accounts.authentication import SKEW_US
from airtally.accounts.permissions import UserRole
from airtally.accounts.secrets import Secrets
from airtally.accounts.sessions import Sessions
from airtally.accounts.users import PreparedUser, User, Users, open_user_within
from airtally.database.store import MetadataStore
from airtally.database.tables import one_time_links, users
from airtally.kit import attempts
from airtally.kit.clock import Clock
from airtally.kit.errors import NotFound
from airtally.kit.time import DAY_US

LINK_LIFE_US = DAY_US
#: Each start of a server without users makes one; the oldest go.
MOST_SETUP_LINKS = 100

_LINK = one_time_links.c
T = TypeVar("T")


class LinkPurpose(StrEnum):
    SETUP = "setup"
    SIGN_IN = "sign-in"


class LinkUnknown(NotFound):
    """The one-time link was used, has expired, or was never made."""

    code = "link_unknown"
    hint = (
        "`airtally user sign-in-link` makes another; before there is a user, each start of `airtally serve` prints one"
    )


@dataclass(frozen=True, slots=True)
class OneTimeLink:
    """`path` is below the server's address. `expires_at` in microseconds UTC."""

    path: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class FirstAccount:
    """What the first account is to be; without a slug, one is derived from the name."""

    name: str
    slug: str | None
    timezone: str
    currency: str


@dataclass(frozen=True, slots=True, repr=False)
class FirstUser:
    """Who is to be the first user, an operator."""

    username: str
    name: str
    email: str
    password: str


@dataclass(frozen=True, slots=True, repr=False)
class Entered:
    """Who is signed in, and the token of the new session."""

    user: User
    session_token: str


class OneTimeLinks:
    """Thread-safe. Every call is one transaction; of two that use a link at once, in any process, one gets in.

    Tokens are stored as keyed hashes. A wrong one is noted as a wrong credential (`kit/attempts.py`).
    """

    def __init__(
        self,
        store: MetadataStore,
        secrets: Secrets,
        clock: Clock,
        *,
        accounts: Accounts,
        users: Users,
        sessions: Sessions,
    ) -> None:
        """`clock` is the one that all hosts share."""
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._accounts = accounts
        self._users = users
        self._sessions = sessions

    def make_setup_link(self) -> OneTimeLink | None:
        """A link that makes the first account and user; None where there is a user."""
        now = self._clock.now_us()
        with self._store.begin() as connection:
            if _any_user(connection):
                return None
            latest = select(_LINK.token_hash).where(_LINK.purpose == LinkPurpose.SETUP)
            kept = latest.order_by(_LINK.created_at.desc()).limit(MOST_SETUP_LINKS - 1)
            connection.execute(
                delete(one_time_links).where(_LINK.purpose == LinkPurpose.SETUP, _LINK.token_hash.not_in(kept))
            )
            return self._added(connection, LinkPurpose.SETUP, None, now)

    def make_sign_in_link(self, user: User) -> OneTimeLink:
        """A link that signs the user in; it replaces the user's earlier one."""
        now, target = self._clock.now_us(), f"user {user.username}"
        with self._store.begin() as connection:
            connection.execute(delete(one_time_links).where(_LINK.user_id == user.id))
            note_change(connection, now, "user.sign_in_link", target, account_id=user.account.id)
            return self._added(connection, LinkPurpose.SIGN_IN, user.id, now)

    def check_setup(self, token: str) -> None:
        """Leaves the link as it is. Raises LinkUnknown."""
        query = select(_LINK.token_hash).where(*self._is(LinkPurpose.SETUP, token))
        with self._store.read() as connection:
            known = None if _any_user(connection) else connection.execute(query).scalar_one_or_none()
        _noted(known)

    def whose(self, token: str) -> User:
        """Whom a link would sign in; leaves it as it is. Raises LinkUnknown."""
        query = select(_LINK.user_id).where(*self._is(LinkPurpose.SIGN_IN, token))
        with self._store.read() as connection:
            user_id = connection.execute(query).scalar_one_or_none()
            user = None if user_id is None else open_user_within(connection, user_id)
        return _noted(user)

    def sign_in(self, token: str) -> Entered:
        """Use up a link: begin a session of its user. Raises LinkUnknown."""
        used = delete(one_time_links).where(*self._is(LinkPurpose.SIGN_IN, token)).returning(_LINK.user_id)
        with self._store.begin() as connection:
            user_id = connection.execute(used).scalar_one_or_none()
            user = None if user_id is None else open_user_within(connection, user_id)
            entered = None if user is None else Entered(user, self._sessions.begin_within(connection, user))
        return _noted(entered)

    def set_up(self, token: str, account: FirstAccount, user: FirstUser) -> Entered:
        """Use up a link: make the first account and its operator, and begin a session. Every such link is gone then.

        Raises LinkUnknown, and BadRequest or Conflict for what cannot be used, with which the link stays.
        """
        self.check_setup(token)  # before a password is hashed for anybody
        new = self._users.prepared(
            username=user.username, name=user.name, email=user.email, password=user.password, role=UserRole.OPERATOR
        )
        mine = select(_LINK.token_hash).where(*self._is(LinkPurpose.SETUP, token))
        with self._store.begin() as connection:
            _hold_users(connection)
            known = not _any_user(connection) and connection.execute(mine).first() is not None
            entered = self._first_steps(connection, account, new) if known else None
        return _noted(entered)

    def _first_steps(self, connection: Connection, account: FirstAccount, new: PreparedUser) -> Entered:
        made = self._accounts.add_within(
            connection, account.name, account.slug, timezone=account.timezone, currency=account.currency
        )
        user = self._users.add_within(connection, made, new)
        connection.execute(delete(one_time_links).where(_LINK.purpose == LinkPurpose.SETUP))
        return Entered(user, self._sessions.begin_within(connection, user))

    def _added(self, connection: Connection, purpose: LinkPurpose, user_id: int | None, now: int) -> OneTimeLink:
        token = random.token_urlsafe(32)
        row = {
            "token_hash": self._hash(purpose, token),
            "purpose": purpose,
            "user_id": user_id,
            "created_at": now,
            "expires_at": now + LINK_LIFE_US,
        }
        connection.execute(delete(one_time_links).where(_LINK.expires_at <= now))
        connection.execute(insert(one_time_links).values(row))
        return OneTimeLink(f"/{purpose}?token={token}", now + LINK_LIFE_US)

    def _is(self, purpose: LinkPurpose, token: str) -> tuple[ColumnElement[bool], ...]:
        """The condition of a link that works now. After the clock was set back, none does that was made later."""
        now = self._clock.now_us()
        same = (_LINK.token_hash == self._hash(purpose, token), _LINK.purpose == purpose)
        return (*same, _LINK.expires_at > now, _LINK.created_at <= now + SKEW_US)

    def _hash(self, purpose: LinkPurpose, token: str) -> str:
        return self._secrets.hashed(f"one-time link {purpose}", token)


def _any_user(connection: Connection) -> bool:
    return bool(connection.execute(select(exists(select(users.c.id)))).scalar_one())


def _hold_users(connection: Connection) -> None:
    """Until the transaction ends no other one adds a user: on PostgreSQL by a lock; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))


def _noted(found: T | None) -> T:
    """What a token has led to. Raises LinkUnknown if to nothing, which counts as a guess."""
    attempts.note(right=found is not None)
    if found is None:
        raise LinkUnknown("This link has been used, or it has expired")
    return found
