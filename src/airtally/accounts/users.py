"""Users: people who may log in to an account's pages, and whom `/v1/users` lists."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from sqlalchemy import Connection, func, select, update

from airtally.accounts.accounts import ACCOUNT_COLUMNS, IS_OPEN, Account, check_name, lock_account
from airtally.accounts.audit import note_change
from airtally.accounts.permissions import UserRole
from airtally.database.rows import AnyRow, values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, keys, one_time_links, sessions, users
from airtally.kit.clock import Clock
from airtally.kit.errors import BadRequest, Conflict, Forbidden, NotFound, TooManyRequests
from airtally.kit.fair import Slots
from airtally.kit.mail import is_address

DEFAULT_GROUP = "Administrators"
MIN_PASSWORD = 8
MAX_PASSWORD = 1024
MOST_AT_ONCE = 8
#: Users of one account. Alarms may be sent to all of them.
MOST_USERS = 1000
_USERNAME = re.compile(r"[A-Za-z0-9._@+-]{1,64}")

_OWN = (users.c.id, users.c.username, users.c.name, users.c.email, users.c.group_id, users.c.group_name, users.c.role)
_USERS = select(*_OWN, *ACCOUNT_COLUMNS).join_from(users, accounts)


@dataclass(frozen=True, slots=True)
class User:
    """A person of an account."""

    id: int
    username: str
    name: str
    email: str
    group_id: int
    group_name: str
    role: str
    account: Account

    @classmethod
    def from_row(cls, row: AnyRow) -> User:
        return cls(**values_of(row, _OWN), account=Account.from_row(row))


@dataclass(frozen=True, slots=True, repr=False)
class PreparedUser:
    """A user to be, checked, with the password's hash: making one takes long, a transaction should not."""

    username: str
    name: str
    email: str
    group: str
    role: UserRole
    password_hash: str


@dataclass(frozen=True, slots=True)
class UserReach:
    """Whom a change may concern: users of one account (None: of any), and operators or not."""

    account_id: int | None = None
    operators: bool = True


class Users:
    """Thread-safe. Passwords are hashed with argon2id, at most two at a time: each hash takes 64 MiB.

    A waiting log-in holds a thread, so at most `MOST_AT_ONCE` of strangers and as many of known devices may wait.
    """

    def __init__(self, store: MetadataStore, clock: Clock, hasher: PasswordHasher | None = None) -> None:
        """`hasher`: how dear a hash is, by default what argon2-cffi recommends (64 MiB, three passes)."""
        self._store = store
        self._clock = clock
        self._hasher = hasher or PasswordHasher()
        self._turns = Slots(2, each=1)
        self._strangers = threading.Semaphore(MOST_AT_ONCE)
        self._known = threading.Semaphore(MOST_AT_ONCE)
        self._nobody: str | None = None

    def create(
        self,
        account: Account,
        *,
        username: str,
        name: str,
        email: str,
        password: str,
        group: str | None = None,
        role: UserRole = UserRole.VIEWER,
    ) -> User:
        """Create a user; the name is unique on the server. Raises BadRequest or Conflict."""
        new = self.prepared(username=username, name=name, email=email, password=password, group=group, role=role)
        with self._store.begin() as connection:
            return self.add_within(connection, account, new)

    def prepared(
        self,
        *,
        username: str,
        name: str,
        email: str,
        password: str,
        group: str | None = None,
        role: UserRole = UserRole.VIEWER,
    ) -> PreparedUser:
        """Check what is said of a user and hash the password. Raises BadRequest."""
        group = DEFAULT_GROUP if group is None else group
        check_username(username)
        check_email(email)
        check_name(name)
        check_name(group, "group")
        return PreparedUser(username, name, email, group, role, self._hash(password))

    def add_within(self, connection: Connection, account: Account, new: PreparedUser) -> User:
        """As `create`, in a transaction that does more. Raises Conflict."""
        _check_room(connection, account)
        row: dict[str, Any] = {
            "account_id": account.id,
            "username": new.username,
            "name": new.name,
            "email": new.email,
            "group_id": _group_id(connection, account, new.group),
            "group_name": new.group,
            "password_hash": new.password_hash,
            "role": new.role,
            "created_at": self._clock.now_us(),
        }
        added = self._store.upserts.insert(users).values(row).on_conflict_do_nothing().returning(users.c.id)
        user_id = connection.execute(added).scalar_one_or_none()
        if user_id is None:
            raise Conflict(f"The user name {new.username!r} is taken")
        self._note(connection, "user.create", new.username, account.id, role=new.role)
        return User(user_id, new.username, new.name, new.email, row["group_id"], new.group, new.role, account)

    def all(self, account: Account | None = None, *, after: int = 0, limit: int | None = None) -> list[User]:
        """Oldest first, from the one after the id `after`."""
        query = _USERS.where(users.c.id > after).order_by(users.c.id).limit(limit)
        if account is not None:
            query = query.where(users.c.account_id == account.id)
        with self._store.read() as connection:
            return [User.from_row(row) for row in connection.execute(query)]

    def addresses(self, account: Account) -> list[str]:
        """The users' addresses, each once, oldest user first; none of an account that is closed by now."""
        query = select(users.c.email).join_from(users, accounts).where(accounts.c.id == account.id, IS_OPEN)
        with self._store.read() as connection:
            return list(dict.fromkeys(connection.execute(query.order_by(users.c.id)).scalars()))

    def get(self, user_id: int) -> User | None:
        """None also for a user of a closed account, whose sessions end with that."""
        with self._store.read() as connection:
            return open_user_within(connection, user_id)

    def by_name(self, username: str) -> User:
        """Raises NotFound."""
        with self._store.read() as connection:
            row = connection.execute(_USERS.where(users.c.username == username)).one_or_none()
        if row is None:
            raise NotFound(f"There is no user {username[:64]!r}", hint="`airtally user list` shows them")
        return User.from_row(row)

    def login(self, username: str, password: str, *, caller: str = "", known: bool = False) -> User | None:
        """The user if the password is right. Takes as long for an unknown name. Blocks: not for the event loop.

        Callers, given by address, take turns. `known`: from a device of the user, which strangers do not delay.
        Raises TooManyRequests where too many log in at once.
        """
        at_once = self._known if known else self._strangers
        if not at_once.acquire(blocking=False):
            raise TooManyRequests("Many log in at this moment: wait a moment.")
        try:
            return self._login(username, password, caller)
        finally:
            at_once.release()

    def _login(self, username: str, password: str, caller: str) -> User | None:
        nobody = self._nobody_hash()  # always made first, so that its time does not tell an unknown name
        row = self._with_hash(username) if _USERNAME.fullmatch(username) else None
        kept = nobody if row is None else row.password_hash
        if not self._verified(kept, password, caller) or row is None:
            return None
        user = User.from_row(row)
        if self._hasher.check_needs_rehash(kept):
            self._keep(user.id, self._hash(password))
        return user

    def set_password(self, username: str, password: str) -> None:
        """Set the password; ends the user's sessions and revokes the user's tokens. Raises NotFound or BadRequest."""
        self.change(username, password=password)

    def change(
        self,
        username: str,
        *,
        name: str | None = None,
        email: str | None = None,
        role: UserRole | None = None,
        password: str | None = None,
        reach: UserReach = UserReach(),
    ) -> None:
        """Change what is given, all of it or nothing; a new role counts within a second.

        A new password ends the user's sessions and revokes the user's tokens. Raises NotFound and Forbidden for a
        user beyond `reach`, and BadRequest.
        """
        if name is not None:
            check_name(name)
        if email is not None:
            check_email(email)
        values = {key: each for key, each in {"name": name, "email": email, "role": role}.items() if each is not None}
        secret = {} if password is None else {"password_hash": self._hash(password)}
        with self._store.begin() as connection:
            user_id, account_id = _find(connection, username, reach)
            if values or secret:
                connection.execute(update(users).where(users.c.id == user_id).values(values | secret))
            if values:
                self._note(connection, "user.change", username, account_id, **values)
            if secret:
                self._log_out(connection, user_id)
                self._note(connection, "user.password", username, account_id)

    def delete(self, username: str, *, reach: UserReach = UserReach()) -> None:
        """Delete the user with sessions and tokens. Raises NotFound and Forbidden for a user beyond `reach`."""
        with self._store.begin() as connection:
            user_id, account_id = _find(connection, username, reach)
            self._log_out(connection, user_id)
            connection.execute(users.delete().where(users.c.id == user_id))
            self._note(connection, "user.delete", username, account_id)

    def _log_out(self, connection: Connection, user_id: int) -> None:
        connection.execute(sessions.delete().where(sessions.c.user_id == user_id))
        connection.execute(one_time_links.delete().where(one_time_links.c.user_id == user_id))
        valid = update(keys).where(keys.c.user_id == user_id, keys.c.revoked_at.is_(None))
        connection.execute(valid.values(revoked_at=self._clock.now_us()))

    def _note(self, connection: Connection, action: str, username: str, account_id: int, **details: object) -> None:
        note_change(connection, self._clock.now_us(), action, f"user {username}", account_id=account_id, **details)

    def _with_hash(self, username: str) -> AnyRow | None:
        query = _USERS.add_columns(users.c.password_hash).where(users.c.username == username, IS_OPEN)
        with self._store.read() as connection:
            return connection.execute(query).one_or_none()

    def _keep(self, user_id: int, password_hash: str) -> None:
        with self._store.begin() as connection:
            connection.execute(update(users).where(users.c.id == user_id).values(password_hash=password_hash))

    def _hash(self, password: str) -> str:
        check_password(password)
        with self._turns.held(""):
            return self._hasher.hash(password)

    def _verified(self, kept: str, password: str, caller: str) -> bool:
        if len(password.encode()) > MAX_PASSWORD:
            return False
        try:
            with self._turns.held(caller):
                return self._hasher.verify(kept, password)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False

    def _nobody_hash(self) -> str:
        if self._nobody is None:
            self._nobody = self._hash("nobody has this password")
        return self._nobody


def check_username(username: str) -> None:
    """Raises BadRequest."""
    if not _USERNAME.fullmatch(username):
        raise BadRequest("The user name cannot be used: expected 1 to 64 of letters, digits, . _ @ + and -")


def check_email(email: str) -> None:
    """Raises BadRequest."""
    if not is_address(email):
        raise BadRequest(f"The e-mail address {email[:64]!r} cannot be used")


def check_password(password: str) -> None:
    """Raises BadRequest."""
    if len(password) < MIN_PASSWORD or len(password.encode()) > MAX_PASSWORD:
        raise BadRequest(
            f"The password cannot be used: expected {MIN_PASSWORD} characters or more, {MAX_PASSWORD} bytes at most"
        )


def open_user_within(connection: Connection, user_id: int) -> User | None:
    """The user as a transaction sees it; None also for one of a closed account."""
    row = connection.execute(_USERS.where(users.c.id == user_id, IS_OPEN)).one_or_none()
    return None if row is None else User.from_row(row)


def _check_room(connection: Connection, account: Account) -> None:
    lock_account(connection, account.id)
    if connection.execute(select(func.count()).where(users.c.account_id == account.id)).scalar_one() >= MOST_USERS:
        raise Conflict(f"The account has {MOST_USERS} users already", hint="Delete some first")


def _find(connection: Connection, username: str, reach: UserReach) -> tuple[int, int]:
    """The ids of the user and of the user's account, locked until the transaction ends. Raises NotFound, Forbidden.

    The check belongs to the change: a moment before, the user may have had another role, or been another account's.
    """
    query = select(users.c.id, users.c.account_id, users.c.role).where(users.c.username == username).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None or reach.account_id not in {None, row.account_id}:
        raise NotFound(f"There is no user {username[:64]!r}", hint="`airtally user list` shows them")
    if row.role == UserRole.OPERATOR and not reach.operators:
        raise Forbidden("Only operators make, change or delete operators")
    return row.id, row.account_id


def _group_id(connection: Connection, account: Account, group: str) -> int:
    """The number of the account's group of that name, or the next free number."""
    of_account = select(func.max(users.c.group_id)).where(users.c.account_id == account.id)
    known = connection.execute(of_account.where(users.c.group_name == group)).scalar_one()
    highest = connection.execute(of_account).scalar_one()
    return int(known or (highest or 0) + 1)
