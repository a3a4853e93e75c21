"""Datasets through the pages: published at once, their files listed and fetched."""

from __future__ import annotations

import hashlib
import html
import re
import time

import httpx
import pytest

from fixtures.console import Browser, note
from fixtures.native import Native

HOME = "/accounts/acme"
PAGE = f"{HOME}/datasets/data987"


@pytest.fixture(scope="module", autouse=True)
def business(native: Native) -> None:
    """With a dataset whose rows are not published."""
    for what, body in (
        ("accounts", {"id": "123456", "name": "Acme"}),
        ("groups", {"id": "7890", "name": "Channels", "slate_account": "123456"}),
        (
            "businesses",
            {"id": "abc123", "name": "Max", "slate_account": "123456", "group": "7890", "datasets": DATASETS},
        ),
    ):
        assert native.http.post(f"/api/v1/slate/{what}", json=body).status_code == 201
    rows = [{"business_id": "abc123", "subscription_event_id": f"e{number}"} for number in range(3)]
    assert native.send("subscriptions", rows).json()["accepted"] == 3


DATASETS = {"subscription": "data987", "playback": "data986", "catalog": "data985"}


def test_a_dataset_is_published_and_its_file_fetched(native: Native, admin: Browser, viewer: Browser) -> None:
    assert "Nothing was published yet." in viewer.get(PAGE).text
    assert viewer.submit(f"{PAGE}/publications").status_code == 403
    published = admin.submit(f"{PAGE}/publications")
    assert note(admin.get(published.headers["location"])) == "Publication 1 is under way."
    deadline = time.monotonic() + 60
    while "hx-trigger" in (shown := viewer.get(PAGE, headers={"HX-Request": "true"}).text):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    links = re.findall(r'<a href="([^"]+/files/[^"]+)">', shown)
    [file] = native.http.get("/api/v1/slate/datasets/data987/files").json()["items"]
    content = httpx.get(html.unescape(links[0])).content
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (file["sha256"], file["bytes"])
    assert (file["sha256"] in shown, file["name"] in shown) == (True, True)
    assert f'href="{PAGE}"' in viewer.get(f"{HOME}/datasets").text


def test_another_accounts_dataset_is_not_there(stranger: Browser) -> None:
    for path in (PAGE, PAGE.replace("/acme/", "/other/")):
        assert (stranger.get(path).status_code, stranger.submit(f"{path}/publications").status_code) == (404, 404)
    assert "There is no dataset." in stranger.get("/accounts/other/datasets").text
