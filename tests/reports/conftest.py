"""Reports and their deliveries on a real metadata store."""

from __future__ import annotations

import pytest

from airtally.accounts.owners import Owners
from airtally.accounts.secrets import Secrets
from airtally.kit.clock import MovableClock
from airtally.kit.signing import LinkSigner
from airtally.metadata.jobs import Jobs
from airtally.metadata.store import MetadataStore
from airtally.reports.outbox import Deliveries
from airtally.reports.report import ReportLinks
from airtally.reports.requests import PlayFilter, ReportRequest
from airtally.reports.service import Reports
from fixtures.receiver import receiver  # noqa: F401 (a fixture)

WAITS = (120.0, 360.0, 1080.0)


@pytest.fixture
def jobs(metadata: MetadataStore, clock: MovableClock) -> Jobs:
    return Jobs(metadata, clock, "worker-1")


@pytest.fixture
def deliveries(metadata: MetadataStore, clock: MovableClock) -> Deliveries:
    return Deliveries(metadata, clock, WAITS, "worker-1")


@pytest.fixture
def links(secrets: Secrets) -> ReportLinks:
    return ReportLinks("https://reports.example", LinkSigner(secrets.subkey("links")))


@pytest.fixture
def reports(
    metadata: MetadataStore,
    clock: MovableClock,
    jobs: Jobs,
    owners: Owners,
    deliveries: Deliveries,
    links: ReportLinks,
) -> Reports:
    return Reports(metadata, clock, jobs=jobs, owners=owners, deliveries=deliveries, links=links)


@pytest.fixture
def plays() -> PlayFilter:
    return PlayFilter("2026-10-01", "00:00:00", "2026-10-02", "23:59:59")


@pytest.fixture
def request_with_webhook(plays: PlayFilter) -> ReportRequest:
    return ReportRequest(plays, "http://hooks.example/")
