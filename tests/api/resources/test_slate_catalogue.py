"""The Slate catalogue read over HTTP, the files of its datasets, and publications that are asked for."""

from __future__ import annotations

import csv
import io
import time

import httpx
import pytest

from airtally.accounts.keys import KeyOptions
from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.native import Native
from fixtures.server import LiveServer

IDS = {"subscription": "data987", "playback": "data986", "catalog": "data985"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = Settings(home=tmp_path_factory.mktemp("slate") / "home", rate_limits=False)
    server = LiveServer(settings, MovableClock(NOW_US)).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def owner(server):
    """An account with two Slate accounts, two groups and three businesses."""
    native = Native(server, "northwind", scopes=("admin",))

    def made(what, **body):
        answer = native.http.post(f"/api/v1/slate/{what}", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    for each in ("123456", "123777"):
        made("accounts", id=each, name=f"Account {each}")
        made("groups", id="7890", name="Channels", slate_account=each)
    first = made("businesses", group="7890", id="abc123", name="Max", slate_account="123456", datasets=IDS)
    native.businesses = [
        first,
        made("businesses", group="7890", id="b2", name="Kids", slate_account="123456", format="parquet"),
        made("businesses", group="7890", id="b3", name="News", slate_account="123777", territory="US"),
    ]
    yield native
    native.http.close()


@pytest.fixture
def get(owner):
    def get(path, status=200, **params):
        answer = owner.http.get(f"/api/v1/slate/{path}", params=params)
        assert answer.status_code == status, answer.text
        return answer.json()

    return get


def listed(get, path, **params):
    """All entries, two at a time."""
    items, cursor = [], {}
    while True:
        page = get(path, limit=2, **params, **cursor)
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}


def test_every_level_is_listed_and_got(get, owner):
    accounts = [{"id": each, "name": f"Account {each}"} for each in ("123456", "123777")]
    assert listed(get, "accounts") == accounts
    assert get("accounts/123777") == accounts[1]
    groups = [{"slate_account": each, "id": "7890", "name": "Channels"} for each in ("123456", "123777")]
    assert listed(get, "groups") == groups
    assert listed(get, "groups", slate_account="123777") == groups[1:]
    assert get("accounts/123777/groups/7890") == groups[1]
    assert listed(get, "businesses") == owner.businesses
    assert listed(get, "businesses", slate_account="123456", group="7890") == owner.businesses[:2]
    assert get("businesses/b3") == owner.businesses[2]
    datasets = listed(get, "datasets")
    assert [each["id"] for each in datasets] == [each for own in owner.businesses for each in own["datasets"].values()]
    assert {each["business"] for each in listed(get, "datasets", business="b2")} == {"b2"}
    assert get("datasets/data987") | {"data_through": None} == {
        "id": "data987",
        "kind": "subscription",
        "stream": "subscriptions",
        "business": "abc123",
        "format": "csv",
        "data_through": None,
    }


@pytest.mark.parametrize(
    "path",
    [
        *("accounts/1", "accounts/123456/groups/1", "accounts/1/groups/7890", "businesses/1", "datasets/1"),
        *("datasets/1/files", "datasets/1/publications", "datasets/data987/publications/999"),
    ],
)
def test_what_is_not_there(get, path):
    assert get(path, 404)["code"] == "not_found"


def test_codes_are_listed_without_their_secrets(server, get, owner):
    client = server.services.access.keys.create(owner.account, "slate").credentials
    asked = {"client_id": client["client_id"], "redirect_uri": "https://app.example/back"}
    code = owner.http.post("/api/v1/slate/codes", json=asked).json()["code"]
    (found,) = get("codes")["items"]
    assert (found["redirect_uri"], found["used"]) == ("https://app.example/back", None)
    assert code not in str(found)
    form = asked | {"grant_type": "authorization_code", "code": code, "client_secret": client["client_secret"]}
    assert httpx.post(f"{server.url}/auth/o2/token", data=form).status_code == 200
    assert get("codes")["items"][0]["used"] is not None
    other = Native(server, "rival", scopes=("admin",))
    assert other.http.get("/api/v1/slate/codes").json()["items"] == []
    other.http.close()


def published(owner, get, dataset="data987"):
    """A publication, ended."""
    made = owner.http.post(f"/api/v1/slate/datasets/{dataset}/publications")
    assert made.status_code == 202, made.text
    location = made.headers["Location"].removeprefix("/api/v1/slate/")
    deadline = time.monotonic() + 60
    while (found := get(location))["state"] in {"waiting", "running"} and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (found["state"], found["error"]) == ("done", None)
    return found


def test_what_was_acknowledged_is_published_and_then_nothing(server, get, owner):
    rows = [{"business_id": "abc123", "subscription_event_id": f"e{number}"} for number in range(3)]
    assert owner.send("subscriptions", rows).json()["accepted"] == 3
    first = published(owner, get)
    (file,) = first["files"]
    assert file["rows"] == 3
    assert get("datasets/data987/files")["items"] == []  # not before its publication time
    server.services.clock.advance(5)
    (item,) = get("datasets/data987/files")["items"]
    assert {name: item[name] for name in file} == file
    content = httpx.get(item["url"]).text
    assert sorted(row["subscription_event_id"] for row in csv.DictReader(io.StringIO(content))) == ["e0", "e1", "e2"]
    second = published(owner, get)
    assert second["files"] == []
    assert [each["id"] for each in get("datasets/data987/publications")["items"]] == [second["id"], first["id"]]
    assert get("datasets/data986/publications")["items"] == []
    get(f"datasets/data986/publications/{first['id']}", 404)
    jobs = owner.http.get("/api/v1/jobs", params={"kind": "dataset"}).json()["items"]
    assert [each["state"] for each in jobs] == ["done", "done"]


def test_publishing_asks_for_admin(server, owner):
    keys = server.services.access.keys
    reader = keys.create(owner.account, "native", KeyOptions(frozenset({"read"}))).credentials["token"]
    headers = {"Authorization": f"Bearer {reader}"}
    path = f"{server.url}/api/v1/slate/datasets/data987/publications"
    assert httpx.post(path, headers=headers).status_code == 403
    assert httpx.get(path, headers=headers).status_code == 200
    assert httpx.get(f"{server.url}/api/v1/slate/codes", headers=headers).status_code == 403
