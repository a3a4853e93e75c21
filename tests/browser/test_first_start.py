"""The first start and signing in by a link, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from airtally.settings import Settings
from browser.chromium import SCHEMES, WIDTHS, Tab, chromium, tab
from fixtures.server import LiveServer

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("first") / "home", rate_limits=False)).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def check(opened: Tab) -> None:
    assert (opened.troubles, opened.faults(), opened.overflow()) == ([], [], 0)


def test_the_first_account_is_made_and_then_a_link_signs_in(server: LiveServer, browser: Browser) -> None:
    links = server.services.access.links
    path = links.make_setup_link().path
    for scheme in SCHEMES:
        for width in WIDTHS:
            with tab(browser, server.url, None, scheme, width) as opened:
                opened.page.goto(path)
                check(opened)
    with tab(browser, server.url, None) as opened:
        page = opened.page
        page.goto(path)
        assert page.input_value("#timezone") == page.evaluate("() => Intl.DateTimeFormat().resolvedOptions().timeZone")
        page.fill("#account", "Açaí Mídia")
        assert page.input_value("#slug") == "acai-midia"
        page.fill("#timezone", "Mars")
        for field, value in (
            ("person", "Ana"),
            ("username", "ana"),
            ("email", "a@x.org"),
            ("password", "correct horse"),
        ):
            page.fill(f"#{field}", value)
        page.get_by_role("button").click()
        assert "There is no time zone" in page.locator("#timezone-error").inner_text()
        assert page.input_value("#slug") == "acai-midia"
        assert [each for each in opened.troubles if "400" not in each] == []
        assert opened.faults() == []
        page.fill("#timezone", "America/Sao_Paulo")
        page.fill("#password", "correct horse")
        page.get_by_role("button").click()
        page.wait_for_url("**/accounts/acai-midia/overview")
    path = links.make_sign_in_link(server.services.access.users.by_name("ana")).path
    with tab(browser, server.url, None, "dark", 390) as opened:
        opened.page.goto(path)
        check(opened)
        opened.page.get_by_role("button", name="Sign in").click()
        opened.page.wait_for_url("**/accounts/acai-midia/overview")
