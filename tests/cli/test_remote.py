"""Commands on another server: what they print is what the same command prints on that server's machine."""

from __future__ import annotations

import time

import pytest

from cli.conftest import PASSWORD
from fixtures.postgres import on_sqlite

pytestmark = on_sqlite


@pytest.mark.parametrize("line", ["account list", "user list", "user list --account acme", "key list --account acme"])
def test_a_listing_is_the_same_from_elsewhere(run, site, line):
    run("key create --account acme --for native --scope read")
    here, there = run(line), site(line)
    assert isinstance(here, list)
    assert [without_times(each) for each in here] == [without_times(each) for each in there]


def without_times(row):
    """The remote command's own token is used meanwhile."""
    return {name: value for name, value in row.items() if name != "last_used"}


def test_accounts_users_and_keys_are_made_from_elsewhere(run, site):
    assert site("account create --name Beta --timezone Asia/Kolkata")["slug"] == "beta"
    ana = "user create --account beta --username ana --email ana@example.org --name Ana --password-stdin"
    assert site(ana, stdin=PASSWORD)["role"] == "viewer"
    site("user change --username ana --role admin", as_json=False)
    assert [(each["username"], each["role"]) for each in run("user list --account beta")] == [("ana", "admin")]
    made = site("key create --account beta --for native --scope read --expires 90d")
    assert set(made) == {"token"}
    key = run("key list --account beta")[0]
    assert (key["scopes"], key["expires"] is not None) == (["read"], True)
    site(f"key revoke {key['id']} --account beta", as_json=False)
    assert run("key list --account beta")[0]["state"] == "revoked"
    site("user delete --username ana", as_json=False)
    assert run("user list --account beta") == []


def test_a_key_imported_from_elsewhere_goes_on_working(run, site, tmp_path):
    kept = tmp_path / "key.json"
    kept.write_text('{"secret_token": "0123456789abcdef0123456789abcdef"}')
    made = site(f"key create --account acme --for fouryousee --import {kept}")
    assert made == {"secret_token": "0123456789abcdef0123456789abcdef"}
    assert site(f"key create --account acme --for fouryousee --import {kept}").startswith("airtally: This key is known")


def test_a_user_logs_in_and_goes_on_with_the_token(run, site):
    made = run(f"--url {site.url} user token --username op --password-stdin", stdin=PASSWORD)
    assert site("account list", token=made["token"])[0]["slug"] == "acme"
    time.sleep(1.1)  # a user may try once in a second
    wrong = run(f"--url {site.url} user token --username op --password-stdin", stdin="not the password")
    assert wrong.startswith("airtally: The user name or the password is wrong")


def test_what_goes_wrong_is_said_in_words(run, site):
    assert site("account list", token="airtally_no").startswith("airtally: The key is unknown, revoked or expired")
    assert "no token" in run(f"--url {site.url} account list")
    assert "--url" in site("worker", as_json=False), "a command that has no remote way says so"
    assert run("--url http://127.0.0.1:1 --token x account list").startswith("airtally: ")
    assert "cannot be used" in run("--url gopher://x --token x account list")
