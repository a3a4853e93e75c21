"""`airtally connect`, on this machine's home and on a server elsewhere."""

from __future__ import annotations

import json


def test_what_a_client_needs_and_its_program(run, site, tmp_path):
    listed = site("connect --account acme")
    assert [each["name"] for each in listed][:2] == ["native", "fouryousee"]
    here = run("connect --account acme")
    assert [each | {"base_url": ""} for each in here] == [each | {"base_url": ""} for each in listed]
    assert here[1]["base_url"] == "http://127.0.0.1:8080/v1/"
    shown = run("connect tapjoy --account acme --language php", as_json=False)
    assert "[ ] Ad groups: With the ids" in shown
    assert "airtally record put ad_groups 5f0c2a9e-1111-4a6b-9c3d-000000000001 --account acme --values" in shown
    assert "with reporting_api_key, email (if there is one), legacy_api_key (if there is one)" in shown
    assert "Replace YOUR_AD_GROUP, YOUR_REPORTING_API_KEY." in shown
    assert "call.php, to be run by: php call.php" in shown
    [command] = [line.strip() for line in shown.splitlines() if "record put" in line]
    put, _, values = command.removeprefix("airtally ").partition(" --values ")
    run(put, "--values", values.strip("'"))
    again = site("connect tapjoy --account acme", as_json=False)
    assert "[x] Ad groups (1): 5f0c2a9e-1111-4a6b-9c3d-000000000001 (Harbour Tycoon - launch)" in again
    key = tmp_path / "key.json"
    key.write_text(json.dumps(run("key create --account acme --for tapjoy")))
    program = site("connect tapjoy --account acme --language ruby --program --key", str(key), as_json=False)
    assert program.startswith("# The figures of an ad group")
    assert json.loads(key.read_text())["reporting_api_key"] in program
    assert "YOUR_" not in program


def test_a_call_is_tried_by_a_running_server(run, site):
    assert [each["status"] for each in site("connect native --account acme --try")["exchanges"]] == [200]
    assert "POST /api/v1/query\n  200\n" in site("connect native --account acme --try", as_json=False)
    assert "Only a running server can try a call" in run("connect native --account acme --try")


def test_what_cannot_be_shown(run, site, tmp_path):
    key = tmp_path / "key.json"
    key.write_text('{"reporting_api_key": "a\'b"}')
    assert "has characters that programs must escape" in run("connect tapjoy --account acme --key", str(key))
    key.write_text("[]")
    assert "--key cannot be used" in run("connect tapjoy --account acme --key", str(key))
    assert "There is no API 'nobody'" in run("connect nobody --account acme")
    assert "There is no account 'none'" in site("connect tapjoy --account none")
