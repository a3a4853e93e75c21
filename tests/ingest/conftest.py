"""Services of a process that takes no rows over HTTP: files are loaded straight into the lake."""

from __future__ import annotations

import pytest

from airtally.runtime import open_services
from airtally.services import Role
from airtally.settings import Settings
from fixtures.migrated import migrated


@pytest.fixture
def services(tmp_path):
    services = open_services(migrated(Settings(home=tmp_path / "home")), role=Role.NONE)
    yield services
    services.close()
