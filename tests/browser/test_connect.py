"""Connect in a real Chromium: declared by a form, a key in the program, the call and its answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from airtally.accounts.permissions import UserRole
from airtally.settings import Settings
from browser.chromium import chromium, tab
from fixtures.server import LiveServer

pytestmark = pytest.mark.browser


@pytest.fixture
def server(tmp_path) -> Iterator[LiveServer]:
    server = LiveServer(Settings(home=tmp_path / "home", rate_limits=False)).start()
    yield server
    server.stop()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_from_a_form_to_an_answer(server: LiveServer, scheme: str, width: int) -> None:
    access = server.services.access
    shop = access.accounts.create("Shop")
    fields = {"username": "ann", "name": "Ann", "email": "a@example.org", "password": "correct horse"}
    session = access.sessions.begin(access.users.create(shop, role=UserRole.ADMIN, **fields))
    with chromium() as browser, tab(browser, server.url, session, scheme, width) as opened:
        page = opened.page
        page.goto("/accounts/shop/connect/tapjoy?language=python")
        form = page.locator("#ad_groups")
        form.get_by_label("Id that the client asks for").fill("g-1")
        form.get_by_label("Name").fill("Harbour Tycoon")
        form.get_by_label("Platform, iOS or Android").fill("iOS")
        form.get_by_role("button", name="Declare", exact=True).click()
        expect(page.locator("#ad_groups .badge")).to_have_text("there")
        page.get_by_text("Make a key").click()
        page.get_by_role("button", name="Make the key").click()
        expect(page.locator("#made")).to_be_visible()
        assert "YOUR_" not in page.locator("pre").last.inner_text()
        assert opened.faults() == []
        page.get_by_role("button", name="Make the call").click()
        answer = page.locator(".exchange").last
        expect(answer).to_contain_text("paid_clicks")
        assert (opened.faults(), opened.troubles) == ([], [])
        assert opened.overflow() <= 0
