"""Accounts: the tenants of a server."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, select, update

from airtally.accounts.audit import note_change
from airtally.database.rows import AnyRow, values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts
from airtally.kit.cache import StoreCache
from airtally.kit.clock import Clock
from airtally.kit.errors import BadRequest, Conflict, Forbidden, NotFound
from airtally.kit.zones import named_zone

#: Slugs that no account may have: links to report files begin with a slug, other paths with one of these.
RESERVED_SLUGS = frozenset(
    {
        *("v1", "admin", "apis", "auth", "stable", "dev", "json", "files", "api"),
        *("healthz", "readyz", "metrics", "docs", "schema", "login", "logout", "setup", "sign-in", "static", "assets"),
        *("account", "accounts", "console", "users", "keys", "reports", "deliveries", "quarantine", "streams"),
        *("datasets", "settings", "health", "status", "favicon", "robots", "well-known", "ap"),
    }
)
_SLUG = re.compile(r"[a-z0-9-]{2,32}(-[A-F0-9]{6})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_REMEMBERED = 1000
_REMEMBERED_SECONDS = 1.0
#: The columns that `Account.from_row` needs.
ACCOUNT_COLUMNS = (
    *(accounts.c.id, accounts.c.slug, accounts.c.name, accounts.c.timezone, accounts.c.currency),
    accounts.c.closed_at,
)
#: Holds for accounts that are neither closed nor deleted: what is shown and let in is theirs alone.
IS_OPEN = accounts.c.closed_at.is_(None)
#: The ids of the others, which are few: by this list a queue leaves them out and still reads its index of what is due.
CLOSED_IDS = select(accounts.c.id).where(accounts.c.closed_at.is_not(None))
_EXISTS = accounts.c.deleted_at.is_(None)


class AccountClosed(Forbidden):
    """The account was closed: its keys, sessions and links do nothing until it is opened again."""

    hint = "`airtally account reopen` opens it again"


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant. `timezone` is an IANA name, `currency` an ISO 4217 code; `closed_at` (us UTC) is None while it is open."""

    id: int
    slug: str
    name: str
    timezone: str = "UTC"
    currency: str = "USD"
    closed_at: int | None = None

    @classmethod
    def from_row(cls, row: AnyRow) -> Account:
        """From a row with ACCOUNT_COLUMNS; it may have others."""
        return cls(**values_of(row, ACCOUNT_COLUMNS))

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class Accounts:
    """Thread-safe; every call is a transaction."""

    def __init__(self, store: MetadataStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._by_id: StoreCache[int, Account] = StoreCache(_REMEMBERED, _REMEMBERED_SECONDS)

    def create(self, name: str, slug: str | None = None, *, timezone: str = "UTC", currency: str = "USD") -> Account:
        """Create an account; without a slug, one is derived from the name. Raises BadRequest or Conflict."""
        with self._store.begin() as connection:
            return self.add_within(connection, name, slug, timezone=timezone, currency=currency)

    def add_within(
        self, connection: Connection, name: str, slug: str | None, *, timezone: str, currency: str
    ) -> Account:
        """As `create`, in a transaction that does more."""
        check_name(name)
        slug = slug_of(name) if slug is None else slug
        check_slug(slug)
        now = self._clock.now_us()
        values = {
            "slug": slug,
            "name": name,
            "timezone": checked_zone(timezone),
            "currency": checked_currency(currency),
            "created_at": now,
        }
        added = self._store.upserts.insert(accounts).values(values).on_conflict_do_nothing().returning(*ACCOUNT_COLUMNS)
        row = connection.execute(added).one_or_none()
        if row is None:
            raise Conflict(f"There is or was an account with the slug {slug!r}", hint="Choose another slug")
        note_change(connection, now, "account.create", f"account {slug}", account_id=row.id)
        return Account.from_row(row)

    def change(
        self, account: Account, *, name: str | None = None, timezone: str | None = None, currency: str | None = None
    ) -> Account:
        """Change what is given; a new time zone counts for answers from now on. Raises BadRequest or NotFound."""
        values: dict[str, str] = {}
        if name is not None:
            check_name(name)
            values["name"] = name
        if timezone is not None:
            values["timezone"] = checked_zone(timezone)
        if currency is not None:
            values["currency"] = checked_currency(currency)
        if values:
            with self._store.begin() as connection:
                connection.execute(update(accounts).where(accounts.c.id == account.id).values(values))
                note_change(
                    connection,
                    self._clock.now_us(),
                    "account.change",
                    f"account {account.slug}",
                    account_id=account.id,
                    **values,
                )
            self._by_id.clear()
        return self.whether_open_or_not(account.slug)

    def by_slug(self, slug: str) -> Account:
        """An open account. Raises NotFound, or AccountClosed."""
        found = self.whether_open_or_not(slug)
        if found.closed_at is not None:
            raise AccountClosed(f"The account {slug!r} is closed")
        return found

    def whether_open_or_not(self, slug: str, *, deleted: bool = False) -> Account:
        """An account that may be closed, and with `deleted` what is left of a deleted one. Raises NotFound."""
        named = [accounts.c.slug == slug] if deleted else [accounts.c.slug == slug, _EXISTS]
        found = self._where(*named) if _SLUG.fullmatch(slug) else []
        if not found:
            raise NotFound(f"There is no account {slug!r}", hint="`airtally account list` shows them")
        return found[0]

    def by_id(self, account_id: int) -> Account:
        """An open account, cached for a second. Raises NotFound."""
        account = self._by_id.get(account_id)
        if account is not None:
            return account
        found = self._where(accounts.c.id == account_id, IS_OPEN)
        if not found:
            raise NotFound(f"There is no account {account_id}")
        self._by_id.put_read({account_id: found[0]}, self._by_id.generation)
        return found[0]

    def all(self, *, after: int = 0, limit: int | None = None) -> list[Account]:
        """Oldest first, from the one after the id `after`; closed ones too, but none that is deleted."""
        return self._where(accounts.c.id > after, _EXISTS, limit=limit)

    def zones(self) -> dict[str, str]:
        """The time zones of all accounts that are not deleted, by slug."""
        with self._store.read() as connection:
            found = connection.execute(select(accounts.c.slug, accounts.c.timezone).where(_EXISTS))
            return {row.slug: row.timezone for row in found}

    def deleted(self) -> frozenset[str]:
        """The slugs of deleted accounts, which no other account gets."""
        with self._store.read() as connection:
            return frozenset(connection.execute(select(accounts.c.slug).where(~_EXISTS)).scalars())

    def forget(self) -> None:
        """Read accounts anew: one was closed or opened."""
        self._by_id.clear()

    def _where(self, *where: ColumnElement[bool], limit: int | None = None) -> list[Account]:
        with self._store.read() as connection:
            rows = connection.execute(select(*ACCOUNT_COLUMNS).where(*where).order_by(accounts.c.id).limit(limit))
            return [Account.from_row(row) for row in rows]


def account_within(connection: Connection, account_id: int) -> Account:
    """An account as a transaction sees it, whether it is open or not."""
    return Account.from_row(connection.execute(select(*ACCOUNT_COLUMNS).where(accounts.c.id == account_id)).one())


def lock_account(connection: Connection, account_id: int) -> None:
    """Let one transaction at a time add things to the account, so that they can be counted first."""
    connection.execute(select(accounts.c.id).where(accounts.c.id == account_id).with_for_update(key_share=True))


def check_slug(slug: str) -> None:
    """Raises BadRequest."""
    if not _SLUG.fullmatch(slug):
        raise BadRequest(
            f"The slug {slug[:64]!r} cannot be used: expected 2 to 32 of a-z, 0-9 and -, "
            "then if wanted - and six of A-F and 0-9"
        )
    if slug in RESERVED_SLUGS:
        raise BadRequest(f"The slug {slug!r} cannot be used: it is the beginning of an address of the server")


def slug_of(name: str) -> str:
    """`Açaí Mídia S/A` gives `acai-midia-s-a`. Raises BadRequest if nothing usable is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:32].strip("-")
    if len(slug) < 2:
        raise BadRequest(f"No slug can be made of the name {name[:64]!r}", hint="Give one with --slug")
    return slug


def check_name(name: str, what: str = "name") -> None:
    """1 to 256 bytes of printable text. Raises BadRequest."""
    if not name.strip() or not name.isprintable() or len(name.encode()) > 256:
        raise BadRequest(f"The {what} cannot be used: expected 1 to 256 bytes of printable text")


def checked_zone(timezone: str) -> str:
    """The name of an IANA zone. Raises BadRequest."""
    try:
        return named_zone(timezone).key
    except ValueError:
        raise BadRequest(
            f"There is no time zone {timezone[:64]!r}", hint="Use an IANA name such as America/Sao_Paulo"
        ) from None


def checked_currency(currency: str) -> str:
    """A code such as USD. Raises BadRequest."""
    if not _CURRENCY.fullmatch(currency):
        raise BadRequest(f"The currency {currency[:64]!r} cannot be used: expected a code of ISO 4217 such as USD")
    return currency
