"""Explore and SQL in a real Chromium: zoom, pictures, keys, and charts of very many points."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from airtally.accounts.permissions import UserRole
from airtally.settings import Settings
from browser.chromium import Tab, chromium, tab
from fixtures.native import Native
from fixtures.server import LiveServer

pytestmark = pytest.mark.browser

ZONE = "Pacific/Chatham"
PATH = "/accounts/acme/explore"
#: Draws a chart anew and gives the milliseconds until it is on the screen.
_DRAWN = """figure => new Promise(done => {
  const begun = performance.now();
  document.dispatchEvent(new CustomEvent("htmx:load", {detail: {elt: figure}}));
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
})"""


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("explore-browser"), rate_limits=False)).start()
    native = Native(server, "acme", timezone=ZONE)
    server.services.access.users.create(
        native.account,
        username="ana",
        name="Ana",
        email="a@example.org",
        password="correct horse",
        role=UserRole.VIEWER,
    )
    first = datetime(2026, 9, 24, tzinfo=UTC)
    rows = [
        {
            "application": "A",
            "event": f"e{n % 12}",
            "time": (first + timedelta(minutes=20 * n)).isoformat(),
            "id": str(n),
        }
        for n in range(400)
    ]
    with closing(native.http):
        native.send("app_events", b"".join(json.dumps(row).encode() + b"\n" for row in rows))
        yield native
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def opened(native: Native, browser: Browser) -> Iterator[Tab]:
    access = native.server.services.access
    token = access.sessions.begin(access.users.by_name("ana"))
    with tab(browser, native.server.url, token) as found:
        yield found
        assert found.troubles == []


def asked(opened: Tab) -> dict[str, str]:
    fields = parse_qs(urlsplit(opened.page.url).query, keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}


def test_a_part_of_a_chart_that_is_drawn_over_is_the_range(opened: Tab) -> None:
    """In the address too, and the way back leads to the whole."""
    whole = f"{PATH}?stream=app_events&split=event&range=2026-09-24+to+2026-09-29&grain=hour&zone={ZONE}&chart=stacked"
    opened.page.goto(whole)
    before = opened.page.locator("dl.figures dd").first.inner_text()
    box = opened.page.locator(".u-over").bounding_box()
    assert box is not None
    opened.page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 50)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 60, steps=4)
    opened.page.mouse.up()
    opened.page.wait_for_url("**start=**")
    fields = asked(opened)
    assert ("T" in fields["start"], fields["start"] < fields["end"], fields["range"]) == (True, True, "")
    assert (opened.page.locator("#start").input_value()[:16], fields["grain"]) == (fields["start"][:16], "hour")
    assert opened.page.locator("dl.figures dd").first.inner_text() != before
    assert opened.page.locator(".u-over").count() == 1
    opened.page.go_back()
    expect(opened.page.locator("dl.figures dd").first).to_have_text(before)


def test_a_choice_is_asked_at_once_without_leaving_the_page(opened: Tab) -> None:
    opened.page.goto(f"{PATH}?stream=app_events&range=2026-09-25&zone={ZONE}")
    opened.page.evaluate("() => { window.stayed = true; }")
    opened.page.focus("#grain")
    opened.page.select_option("#grain", "none")
    opened.page.wait_for_url("**grain=none**")
    expect(opened.page.locator("[data-chart]")).to_have_count(0)
    expect(opened.page.locator("#explore-told")).to_contain_text("made of")
    assert opened.page.evaluate("() => [window.stayed, document.activeElement.id]") == [True, "grain"]


def test_a_chart_is_saved_as_a_picture(opened: Tab, tmp_path: Path) -> None:
    opened.page.goto(f"{PATH}?stream=app_events&split=event&range=2026-09-25&zone={ZONE}&compare=previous_period")
    with opened.page.expect_download() as download:
        opened.page.get_by_role("button", name="Save as PNG").click()
    download.value.save_as(tmp_path / "chart.png")
    assert download.value.suggested_filename == "app_events.png"
    assert (tmp_path / "chart.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert opened.faults() == []


def test_a_chart_of_100_000_points_is_drawn(opened: Tab) -> None:
    """In how long is measured by the benchmark; here it must not take ten times as long as it may."""
    opened.page.goto(f"{PATH}?stream=app_events&range=2026-08-01+to+2026-10-08&grain=minute&zone=UTC")
    figure = opened.page.locator("[data-chart]")
    points = figure.evaluate("figure => JSON.parse(figure.querySelector('script').textContent).times.length")
    assert points == 69 * 1440
    assert figure.evaluate(_DRAWN) < 3000


def test_ctrl_enter_runs_a_statement_and_columns_are_put_into_it(opened: Tab) -> None:
    opened.page.goto("/accounts/acme/sql")
    opened.page.fill("#sql", "SELECT count(DISTINCT ) AS n FROM app_events")
    opened.page.evaluate("() => document.getElementById('sql').setSelectionRange(22, 22)")
    opened.page.fill("#table-search", "hwid")
    shown = opened.page.locator("#schema details:visible")
    expect(shown.first).to_have_attribute("open", "")
    table = opened.page.locator("#schema details", has=opened.page.get_by_text("app_events", exact=True))
    opened.page.fill("#table-search", "app_events")
    table.locator("summary").click()
    table.get_by_role("button", name="event", exact=True).click()
    assert opened.page.input_value("#sql") == "SELECT count(DISTINCT event) AS n FROM app_events"
    opened.page.keyboard.press("Control+Enter")
    opened.page.wait_for_url("**sql=**")
    assert opened.page.locator("tbody td").inner_text() == "12"
    assert opened.faults() == []
