"""Puts the parts of ingest together, for a process."""

from __future__ import annotations

from dataclasses import dataclass

from airtally.accounts.declared import EventTypeRegistry
from airtally.accounts.owners import Owners
from airtally.database.store import MetadataStore
from airtally.ingest.admission import Admission
from airtally.ingest.at_once import AtOnce
from airtally.ingest.businesses import Businesses
from airtally.ingest.claims import Claims
from airtally.ingest.edits import Edits
from airtally.ingest.files import FileIngest
from airtally.ingest.known import KnownVersions
from airtally.ingest.loading import Loading
from airtally.ingest.locks import Locks
from airtally.ingest.marks import FileMarks
from airtally.ingest.quarantine import Quarantine
from airtally.ingest.resend import Resend
from airtally.ingest.service import Ingest
from airtally.ingest.versions import ChangelogVersions
from airtally.kit.clock import Clock
from airtally.query.changelog import VersionsQuery
from airtally.query.service import Queries
from airtally.settings import Settings
from airtally.storage.buffer import Buffer
from airtally.storage.store import EventStore
from airtally.usage.loads import LoadLedger


@dataclass(frozen=True, slots=True)
class IntakeParts:
    """What takes rows: from requests, from files and from quarantine.

    `batches`, `edits` and `claims` are None in a process that owns no buffer.
    """

    batches: Ingest | None
    edits: Edits | None
    claims: Claims | None
    files: FileIngest
    quarantine: Quarantine
    resend: Resend


@dataclass(frozen=True, slots=True)
class IntakeContext:
    """What ingest needs of a process; `buffer` is None in one that takes no batches."""

    settings: Settings
    store: MetadataStore
    clock: Clock
    owners: Owners
    declared: EventTypeRegistry
    ledger: LoadLedger
    event_store: EventStore
    buffer: Buffer | None
    queries: Queries


def intake_parts(context: IntakeContext) -> IntakeParts:
    """All that takes rows in this process."""
    settings, store, clock, event_store = context.settings, context.store, context.clock, context.event_store
    quarantine = Quarantine(store, clock, max_bytes=settings.quarantine_max, days=settings.quarantine_days)
    versions = _versions(context)
    admission = Admission(context.owners, Businesses(store), context.declared, settings.retention, clock)
    loading = Loading(
        event_store=event_store, quarantine=quarantine, versions=versions, ledger=context.ledger, clock=clock
    )
    locks = Locks(settings.home / "locks")
    files = FileIngest(
        admission=admission,
        loading=loading,
        event_store=event_store,
        quarantine=quarantine,
        marks=FileMarks(store, clock),
        locks=locks,
        clock=clock,
    )
    resend = Resend(admission=admission, loading=loading, event_store=event_store, quarantine=quarantine, locks=locks)
    if context.buffer is None:
        return IntakeParts(None, None, None, files, quarantine, resend)
    claims = Claims(store, context.buffer, clock)
    batches = Ingest(
        buffer=context.buffer,
        claims=claims,
        quarantine=quarantine,
        versions=versions,
        admission=admission,
        settings=settings,
        clock=clock,
    )
    edits = Edits(
        buffer=context.buffer, versions=versions, last_of=context.queries.last_by, clock=clock, kind="pushwoosh"
    )
    return IntakeParts(batches, edits, claims, files, quarantine, resend)


def _versions(context: IntakeContext) -> ChangelogVersions:
    queries = context.queries
    known = KnownVersions(queries.engine, context.event_store, context.settings.version_index)
    return ChangelogVersions(
        lambda stream, account, keys: queries.versions(VersionsQuery(stream, account, keys)),
        AtOnce(known.look_up, queries.first_created),
    )
