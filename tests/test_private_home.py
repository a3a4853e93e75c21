"""The home is for its owner only, whatever the umask: each file of each part, and of the child processes."""

from __future__ import annotations

import os
import subprocess

import pytest

from airtally.doctor.checks import examine
from airtally.doctor.premises import HomePremises
from airtally.runtime import open_services
from airtally.services import Role
from airtally.settings import Settings
from fixtures.native import Native
from fixtures.program import run

ROWS = b"".join(
    b'{"player_id": %d, "media_id": 2, "played_at": "2026-10-01T08:00:00"}\n' % each for each in range(1, 51)
)


@pytest.fixture(autouse=True)
def _open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def exposed(home):
    return [str(each.relative_to(home)) for each in (home, *home.rglob("*")) if each.lstat().st_mode & 0o077]


def test_all_that_a_server_and_its_children_make(start_server, tmp_path):
    server = start_server()
    native = Native(server, "acme")
    with native.http:
        assert native.send("playlogs", ROWS).json()["accepted"] == 50
        server.services.storage.event_store.flush()
        assert native.count() == 50
        assert exposed(tmp_path / "home") == []
    server.stop()
    assert exposed(tmp_path / "home") == []


def test_all_that_the_commands_make(tmp_path):
    home = tmp_path / "home"
    run(home, "account", "create", "--name", "Acme")
    rows = tmp_path / "rows.ndjson"
    rows.write_bytes(ROWS)
    run(home, "ingest", "playlogs", rows, "--account", "acme")
    run(home, "lake", "compact")
    assert exposed(home) == []


def test_doctor_names_what_others_can_read_and_what_closes_it(tmp_path):
    settings = Settings(home=tmp_path / "it's home")
    open_services(settings, role=Role.NONE).close()
    for path, mode in ((settings.home / "metadata.sqlite", 0o640), (settings.home, 0o711)):
        path.chmod(mode)
    found = next(examine(HomePremises(settings)))
    assert found.about == "home"
    assert str(settings.home / "metadata.sqlite") in found.found
    subprocess.run(found.mend, shell=True, check=True)
    assert next(examine(HomePremises(settings))).mend is None
    assert exposed(settings.home) == []
    settings.home.chmod(0o755)
    open_services(settings, role=Role.NONE).close()
    assert exposed(settings.home) == [], "whatever opens a home closes it"
