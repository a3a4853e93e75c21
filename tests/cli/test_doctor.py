"""`airtally doctor` as a program: all well, and each thing broken."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from airtally.accounts.secrets import FILE_NAME
from airtally.database.tables import keys
from airtally.doctor import machine
from airtally.doctor.checks import examine
from airtally.doctor.premises import HomePremises
from airtally.ingest.row_errors import RowError
from airtally.kit.time import to_datetime
from airtally.runtime import open_services
from airtally.services import Role
from airtally.settings import Settings
from fixtures.native import Native
from fixtures.program import run

ABOUT = [
    "home",
    "secret key",
    "metadata",
    "keys",
    "quarantine",
    "writers",
    "public URL",
    "buffer",
    "lake",
    "engine",
    "ids",
    "files",
    "time zones",
]


def test_all_is_well_on_a_fresh_home(tmp_path):
    findings = json.loads(run(tmp_path / "home", "doctor", "--json").stdout)
    assert [each["about"] for each in findings] == ABOUT
    assert {each["state"] for each in findings} == {"ok"}
    key = (tmp_path / "home" / FILE_NAME).read_bytes()
    assert key.strip().decode("latin-1") not in json.dumps(findings)


def test_what_is_broken_is_named_and_ends_with_status_1(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "lake").write_text("no folder")
    ended = run(home, "doctor", "--json", status=1)
    (found,) = [each for each in json.loads(ended.stdout) if each["state"] == "error"]
    assert found["about"] == "lake"
    assert found["mend"]
    assert "lake" in run(home, "doctor", status=1).stdout


def mended(settings):
    return {each.about for each in examine(HomePremises(settings)) if each.mend}


@pytest.fixture
def settings(tmp_path):
    settings = Settings(home=tmp_path / "home")
    assert mended(settings) == set()
    return settings


def test_a_secret_key_that_others_can_read(settings):
    path = settings.home / FILE_NAME
    path.chmod(0o644)
    (finding,) = [each for each in examine(HomePremises(settings)) if each.mend]
    assert finding.mend == f"others can read it: chmod 600 {path}"


def test_a_short_secret_key(settings):
    assert mended(settings.with_(secret_key="short")) == {"secret key"}


def test_a_quarantine_that_is_nearly_full(settings):
    services = open_services(settings, role=Role.NONE)
    errors = [RowError(line, "ip", "expected an IPv4 address", b"{}") for line in range(50)]
    services.intake.quarantine.keep(services.access.accounts.create("Acme", "acme"), "playlogs", errors, source="http")
    (usage,) = services.intake.quarantine.usage()
    services.close()
    assert mended(settings) == set()
    assert mended(settings.with_(quarantine_max=usage.bytes)) == {"quarantine"}


def test_a_metadata_store_that_is_none(settings):
    (settings.home / "metadata.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 100)
    assert mended(settings) == {"metadata"}


def test_no_postgresql_there_and_its_password_is_not_told(settings):
    away = settings.with_(database="postgresql://airtally:hunter22@127.0.0.1:1/airtally?connect_timeout=1")
    findings = list(examine(HomePremises(away)))
    assert [each.about for each in findings if each.mend] == ["metadata"]
    assert "hunter22" not in repr(findings)


def test_a_broken_table(settings):
    log = settings.home / "lake" / "playlogs" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020}.json").write_text("no commit")
    assert mended(settings) == {"lake"}


def test_files_that_cannot_be_written(settings):
    (settings.home / "files").rmdir()
    (settings.home / "files").write_text("no folder")
    assert mended(settings) == {"files"}


def test_an_engine_that_is_none(settings):
    assert mended(settings.with_(engine="excel")) == {"engine"}


def test_little_disk(settings, monkeypatch):
    monkeypatch.setattr(machine, "LOW_DISK", 1 << 60)
    assert mended(settings) == {"home"}


def test_ids_that_were_one_in_earlier_releases(start_server, tmp_path, opened):
    server = start_server()
    acme, rival = opened(Native(server, "acme")), opened(Native(server, "rival"))
    group = {"name": "n", "platform": "iOS"}
    click = {"kind": "paid_click", "time": server.services.clock.now_us() // 1_000_000 * 1_000_000}
    time = to_datetime(click["time"]).isoformat()
    for native, ids in ((acme, ("ΛΟΓΟΣ", "ÉtÉ", "Ab", "aB", "\u212a1", "é")), (rival, ("λογος", "é2"))):
        assert native.send("ad_groups", [group | {"ad_group_id": each} for each in ids]).json()["accepted"] == len(ids)
    for spelled in ("été", "K1", "λογοσ"):
        assert acme.send("ad_events", [click | {"ad_group_id": spelled, "time": time}]).json()["accepted"] == 1
    server.stop()
    (found,) = [each for each in examine(HomePremises(Settings(home=tmp_path / "home"))) if each.about == "ids"]
    assert found.mend is None
    assert found.found == (
        "3 that earlier releases took for one are told apart by their spelling: K1 and \u212a1 (ad_events, ad_groups"
        " of acme); ÉtÉ and été (ad_events, ad_groups of acme); ΛΟΓΟΣ and λογοσ (ad_events, ad_groups of acme)"
    )


def test_short_secrets_and_those_of_unknown_length_are_listed(settings):
    """None is refused: clients have them."""
    services = open_services(settings, role=Role.NONE)
    acme = services.access.accounts.create("Acme")
    short = services.access.keys.create(acme, "fouryousee", imported={"secret_token": "short"})
    earlier = services.access.keys.create(acme, "slate")
    with services.store.begin() as connection:
        connection.execute(update(keys).where(keys.c.id == earlier.id).values(shortest_secret=None))
    services.close()
    (found,) = [each for each in examine(HomePremises(settings)) if each.about == "keys"]
    assert f"under 16 characters: key {short.id} (fouryousee, acme)" in found.found
    assert f"unknown length: {earlier.id} (slate, acme)" in found.found
    assert "key revoke" in found.mend
    assert "short'" not in found.found
    (found,) = [each for each in examine(HomePremises(settings.with_(operations_token="ops"))) if each.about == "keys"]
    assert "AIRTALLY_OPERATIONS_TOKEN" in found.found
