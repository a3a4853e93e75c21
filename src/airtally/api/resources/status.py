"""`/api/v1/status`: whether the whole server is well, and what each account comes to. For operators."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from airtally import __version__, readiness
from airtally.accounts.accounts import Account
from airtally.accounts.permissions import Permission
from airtally.api.operation import OperationCall, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.resources.overview import StandingAnswer, standing_answer, standings_of
from airtally.api.times import shown_moment
from airtally.kit.time import utc_day
from airtally.lake_care.tables import statuses
from airtally.services import Services
from airtally.streams import STREAMS
from airtally.usage.figures import UsageFigures
from airtally.usage.reading import UsageInterval

_LIBRARIES = ("duckdb", "deltalake", "pyarrow", "msgspec", "litestar")


class ReadinessCheck(msgspec.Struct, frozen=True):
    """One of `/readyz`. `problem`: null if there is none."""

    name: str
    problem: str | None


class DiskAnswer(msgspec.Struct, frozen=True):
    """A disk that folders of the server lie on; `size` and `free` in bytes."""

    folders: list[str]
    size: int
    free: int


class BufferAnswer(msgspec.Struct, frozen=True):
    """Acknowledged rows on their way into the lake. `bytes` of at most `max_bytes`; `adopted`: of processes that died."""

    id: str
    rows: int
    bytes: int
    max_bytes: int
    adopted: int


class LakeAnswer(msgspec.Struct, frozen=True):
    """Sums over the tables; `size` in bytes. `warnings` name the table."""

    tables: int
    rows: int
    size: int
    files: int
    warnings: list[str]


class BackgroundAnswer(msgspec.Struct, frozen=True):
    """Work in the background of the process. `failures`: of its last steps, one after the other."""

    name: str
    alive: bool
    failures: int


class StatusAnswer(msgspec.Struct, frozen=True):
    """Of the process that answers. `buffer`: null where it takes no rows. `remarks` need somebody, but no haste."""

    version: str
    libraries: dict[str, str]
    engine: str
    database: str
    process: str
    ready: bool
    checks: list[ReadinessCheck]
    remarks: list[str]
    disks: list[DiskAnswer]
    buffer: BufferAnswer | None
    lake: LakeAnswer
    background: list[BackgroundAnswer]


class AccountStatus(msgspec.Struct, frozen=True):
    """`rows_today`, `refused_today`: received on this UTC day. `last_received`: of any stream; null for a closed account."""

    id: int
    slug: str
    name: str
    timezone: str
    closed_at: str | None
    rows_today: int
    refused_today: int
    last_received: str | None
    standing: StandingAnswer


class StatusResource:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._standings = standings_of(services)

    @operation("GET", "/status", Permission.OPERATOR, "Status of the server")
    def get_status(self, call: PlainCall) -> StatusAnswer:  # noqa: ARG002 (the same for all)
        """What `/readyz` checks, with disks, buffer, lake, background work and versions."""
        services = self._services
        checks = [ReadinessCheck(name, problem) for name, problem in readiness.checks(services).items()]
        return StatusAnswer(
            version=__version__,
            libraries={"python": platform.python_version()} | _library_versions(),
            engine=services.settings.engine.partition(":")[0],
            database=services.store.dialect,
            process=services.process.id,
            ready=all(each.problem is None for each in checks),
            checks=checks,
            remarks=readiness.remarks(services),
            disks=_disks_of(services.settings.local_folders),
            buffer=self._buffer(),
            lake=self._lake(),
            background=[
                BackgroundAnswer(each.name, each.alive, getattr(each, "failures", 0)) for each in services.background
            ],
        )

    @operation("GET", "/status/accounts", Permission.OPERATOR, "Status of all accounts")
    def list_account_status(self, call: OperationCall[PageQuery, None]) -> ListingPage[AccountStatus]:
        """Rows, failures and freshness of each account, closed ones too, in the order in which they were made."""
        limit = call.query.limit
        found = self._services.access.accounts.all(after=call.query.position or 0, limit=limit + 1)
        shown = self._shown(found[:limit])
        return page_of(found, limit, lambda each: shown[each.id], lambda each: each.id)

    def _shown(self, accounts: Sequence[Account]) -> dict[int, AccountStatus]:
        ids = [each.id for each in accounts]
        today = utc_day(self._services.clock.now_us())
        usage = self._services.usage.reader.of_accounts(ids, UsageInterval(today, today + timedelta(days=1)))
        standings = self._standings.of(ids)
        return {
            each.id: self._account_status(each, usage.get(each.id, UsageFigures()), standing_answer(standings[each.id]))
            for each in accounts
        }

    def _account_status(self, account: Account, usage: UsageFigures, standing: StandingAnswer) -> AccountStatus:
        return AccountStatus(
            id=account.id,
            slug=account.slug,
            name=account.name,
            timezone=account.timezone,
            closed_at=shown_moment(account.closed_at),
            rows_today=usage.rows_accepted,
            refused_today=usage.rows_refused,
            last_received=None if account.closed_at is not None else shown_moment(self._last_received(account)),
            standing=standing,
        )

    def _last_received(self, account: Account) -> int | None:
        stored = (self._services.queries.freshness(each, account.slug).stored for each in STREAMS.values())
        return max((each.last_us for each in stored if each.last_us is not None), default=None)

    def _buffer(self) -> BufferAnswer | None:
        buffer = self._services.storage.buffer
        if buffer is None:
            return None
        rows = sum(part.rows for stream in buffer.streams() for part in buffer.tail(stream))
        most = self._services.settings.buffer_max
        return BufferAnswer(buffer.id, rows, buffer.live_bytes, most, len(buffer.adopted))

    def _lake(self) -> LakeAnswer:
        tables = statuses(self._services.storage.lake, None)
        return LakeAnswer(
            tables=len(tables),
            rows=sum(each.rows for each in tables),
            size=sum(each.size for each in tables),
            files=sum(each.files for each in tables),
            warnings=[f"{each.stream}: {words}" for each in tables for words in each.warnings],
        )


def _disks_of(folders: Sequence[Path]) -> list[DiskAnswer]:
    """One for each disk; a folder that is not made yet will be on the disk of the one above it."""
    found: dict[int, DiskAnswer] = {}
    for folder in folders:
        there = next(each for each in (folder, *folder.parents) if each.exists())
        number, usage = there.stat().st_dev, shutil.disk_usage(there)
        found.setdefault(number, DiskAnswer([], usage.total, usage.free)).folders.append(str(folder))
    return list(found.values())


def _library_versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # of an engine that is not installed
            continue
    return found
