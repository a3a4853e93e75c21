"""Queries of a time whose rows were removed: 422 with the reason, and with a query that can be sent instead."""

from __future__ import annotations

import html
import re

import pytest

from airtally.accounts.keys import KeyOptions
from airtally.kit.clock import MovableClock
from airtally.kit.time import DAY_US, HOUR_US
from airtally.settings import Settings
from airtally.streams import VIEWER_SAMPLES
from fixtures.accounts import NOW_US
from fixtures.console import Browser
from fixtures.native import Native
from fixtures.rollups import RollupHome
from fixtures.server import LiveServer

TODAY = NOW_US // DAY_US * DAY_US
KEPT = {"viewer_samples": 4, "viewer_samples_minute": 4, "viewer_samples_hour": 40}


class Joined(Native):
    """A client of an account that is there already."""

    def __init__(self, server: LiveServer, slug: str) -> None:
        import httpx

        self.server = server
        account = server.services.access.accounts.by_slug(slug)
        key = server.services.access.keys.create(account, "native", KeyOptions(scopes=frozenset({"read"})))
        self.http = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Bearer {key.credentials['token']}"}, timeout=30
        )


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Ten days of which the first eight are kept by the hour and the day alone; the account is in UTC."""
    folder = tmp_path_factory.mktemp("gone") / "home"
    home = RollupHome(folder, MovableClock(NOW_US), retain_days=KEPT)
    acme = home.account("acme")
    base = {"app": "a", "video_url": "v", "server": "s", "viewers": 10}
    for first in (-1, 1, 3, 5, 7):
        times = [TODAY + day * DAY_US + hour * 3 * HOUR_US for day in (first, first + 1) for hour in range(8)]
        home.clock.advance(2 * 86_400)
        home.send(VIEWER_SAMPLES, acme, [base | {"time": time} for time in times])
        home.flush()
        home.rebuild(VIEWER_SAMPLES)
        home.maintenance().expire(home.services.storage.lake.table(VIEWER_SAMPLES))
    home.clock.advance(80 * 86_400)
    for rollup in VIEWER_SAMPLES.rollups:
        home.rebuild(VIEWER_SAMPLES)
        home.maintenance().expire(home.services.storage.lake.table(VIEWER_SAMPLES))
        home.rebuilder().expiry.expire(rollup)
    home.close()
    server = LiveServer(Settings(home=folder, rate_limits=False, retain_days=KEPT), home.clock).start()
    joined = Joined(server, "acme")
    yield joined
    joined.http.close()
    server.stop()


def asked(**more):
    metric = {"function": "sum", "column": "viewers"}
    ends = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-09T00:00:00Z"}
    return {"stream": "viewer_samples", "metrics": [metric], "bucket": "day"} | ends | more


def total(answer) -> int:
    assert answer.status_code == 200, answer.text
    return sum(row["sum_viewers"] for row in answer.json()["rows"])


def test_days_are_answered_for_ever(client):
    assert total(client.ask(**asked())) == 640
    assert total(client.ask(stream="viewer_samples", metrics=asked()["metrics"])) == 800


@pytest.mark.parametrize(
    ("more", "right"),
    [
        ({"start": "2026-11-01T01:00:00Z", "bucket": "none"}, 640),
        ({"end": "2026-11-08T12:00:00+00:00", "bucket": "none"}, 640),
        ({"timezone": "Asia/Kolkata", "start": "2026-11-01T00:00:00+05:30", "end": "2026-11-08T00:00:00+05:30"}, 560),
        ({"timezone": "America/St_Johns", "bucket": "week"}, None),
        ({"bucket": "hour"}, 640),
        ({"bucket": "minute"}, 640),
    ],
)
def test_a_refusal_says_what_can_be_asked_and_it_can(client, more, right):
    answer = client.ask(**asked(**more))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "rows_gone"), problem
    assert "viewer_samples between 2026-11-0" in problem["detail"]
    assert problem["hint"].startswith("It can be answered ")
    assert problem["question"] == problem["questions"][0]
    found = total(client.ask(**problem["question"]))
    assert right in {None, found}


def test_what_no_rollup_has_is_refused_in_words(client):
    answer = client.ask(**asked(metrics=[{"function": "distinct", "column": "server"}]))
    assert answer.status_code == 422
    assert "Retention has removed the rows" in answer.json()["detail"]


def test_explore_links_to_what_can_be_answered(client):
    """By minutes, of which the oldest are gone."""
    access = client.server.services.access
    access.users.create(
        access.accounts.by_slug("acme"),
        username="ana",
        name="Ana",
        email="a@example.org",
        password="correct horse",
        role="viewer",
    )
    link = "/accounts/acme/explore?stream=viewer_samples&range=2026-11-01+to+2026-11-09&grain=minute&zone=UTC"
    with Browser(client.server, "ana") as browser:
        page = browser.get(link)
        assert (page.status_code, "Retention has removed the rows" in page.text) == (422, True)
        links = re.findall(r'<a href="([^"]+)">[^<]* to [^<]*</a>', page.text)
        assert links
        for each in links:
            assert browser.get(html.unescape(each)).status_code == 200
