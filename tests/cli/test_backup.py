"""`airtally backup` and `airtally restore`."""

from __future__ import annotations

import json

import pytest

from fixtures.postgres import on_sqlite

pytestmark = on_sqlite


@pytest.fixture(autouse=True)
def metadata_in_the_home(run, monkeypatch):
    monkeypatch.setenv("AIRTALLY_DATABASE", "")


def test_a_home_is_backed_up_and_restored(run, tmp_path):
    run("account create --name Acme")
    run("key create --account acme --for native --scope read --name Partner")
    made = run(f"backup {tmp_path}/copy")
    listed = (tmp_path / "copy/files.ndjson").read_text().splitlines()
    assert made["files"] == len(listed)
    assert made["bytes"] == sum(json.loads(each)["size"] for each in listed)
    assert run(f"restore {tmp_path}/copy --check") == made
    run(f"--home {tmp_path}/other restore {tmp_path}/copy", as_json=False)
    assert run.warned == ""
    (listed_key,) = run(f"--home {tmp_path}/other key list --account acme")
    assert listed_key["name"] == "Partner"


def test_a_backup_without_the_secret_key_says_so(run, tmp_path):
    run("account create --name Acme")
    run(f"backup {tmp_path}/copy --without-secret-key")
    assert "the secret key is not in it" in run.warned
    assert not (tmp_path / "copy/secret.key").exists()


def test_a_secret_key_of_the_settings_is_named_as_the_setting_is(run, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRTALLY_SECRET_KEY", "k" * 64)
    run("account create --name Acme")
    run(f"backup {tmp_path}/copy")
    assert "(AIRTALLY_SECRET_KEY)" in run.warned


def test_failures_are_one_line(run, tmp_path):
    assert run(f"backup {tmp_path}/copy").startswith("airtally: There is no home at ")
    assert run(f"restore {tmp_path}/copy").startswith(f"airtally: {tmp_path}/copy holds no finished backup")
