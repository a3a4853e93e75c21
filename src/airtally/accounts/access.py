"""Who may ask: accounts, keys and users, opened together."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from argon2 import PasswordHasher

from airtally.accounts.accounts import Accounts
from airtally.accounts.audit import AuditTrail
from airtally.accounts.call_limit import CallLimit
from airtally.accounts.declared import EventTypeRegistry
from airtally.accounts.keys import Keys
from airtally.accounts.limits import RateLimiter
from airtally.accounts.log_in import LogIn
from airtally.accounts.one_time_links import OneTimeLinks
from airtally.accounts.owners import Owners
from airtally.accounts.request_keys import RequestKeys
from airtally.accounts.secrets import Secrets
from airtally.accounts.sessions import Sessions
from airtally.accounts.tries import Tries
from airtally.accounts.users import Users
from airtally.database.clock import shared_clock
from airtally.database.store import MetadataStore
from airtally.kit.clock import Clock
from airtally.kit.crew import Crew
from airtally.settings import Settings


@dataclass(frozen=True, slots=True)
class Access:
    """Accounts, keys and users, and what each may do."""

    secrets: Secrets
    accounts: Accounts
    keys: Keys
    users: Users
    sessions: Sessions
    links: OneTimeLinks
    owners: Owners
    declared: EventTypeRegistry
    limiter: RateLimiter
    log_in: LogIn
    call_limit: CallLimit
    request_keys: RequestKeys
    audit: AuditTrail


class HasAccess(Protocol):
    """The services, or as much of them as operations about accounts, keys and users need."""

    @property
    def access(self) -> Access: ...
    @property
    def clock(self) -> Clock: ...


def open_access(
    settings: Settings,
    store: MetadataStore,
    clock: Clock,
    closing: ExitStack,
    hasher: PasswordHasher | None = None,
    *,
    crew: Crew | None = None,
) -> Access:
    """Needs the metadata alone. `closing` gets what is to be closed; workers of one `crew` count calls together."""
    secrets, users = Secrets.open(settings.home, settings.secret_key), Users(store, clock, hasher)
    keys = Keys(store, secrets, clock)
    closing.callback(keys.close)
    accounts, sessions = Accounts(store, clock), Sessions(store, secrets, users, clock)
    shared = shared_clock(store, clock)
    return Access(
        secrets=secrets,
        accounts=accounts,
        keys=keys,
        users=users,
        sessions=sessions,
        links=OneTimeLinks(store, secrets, shared, accounts=accounts, users=users, sessions=sessions),
        owners=Owners(store),
        declared=EventTypeRegistry(store, clock),
        limiter=RateLimiter(store, clock, enabled=settings.rate_limits, together=crew is not None),
        log_in=LogIn(users, Tries(store, shared)),
        call_limit=CallLimit(clock, per_minute=settings.calls_per_minute, enabled=settings.rate_limits),
        request_keys=RequestKeys(store, secrets, clock),
        audit=AuditTrail(store, clock, days=settings.audit_days),
    )
