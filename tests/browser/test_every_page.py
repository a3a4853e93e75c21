"""Every page that links lead to, in a real Chromium: light and dark, wide and narrow, without a fault.

The pages are found as a person finds them, by following links from the start, one of each kind of path: so a dead link
fails here too, and a new page is tested as soon as something links to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser

from browser.chromium import SCHEMES, WIDTHS, Scheme, chromium, tab
from browser.home import SLUG, served, session_of
from fixtures.operations import declared_pages
from fixtures.server import LiveServer

pytestmark = pytest.mark.browser

#: Paths that are no pages of the console.
_ELSEWHERE = re.compile(r"/(assets|api/v1|docs|files|admin|metrics|v1|logout|downloads|[\w-]+/\d+-[0-9a-f]{13}\.gz)")
#: Declared pages, the ones without parameters first: they are more exact.
PATTERNS = {
    path: re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
    for method, path in sorted(declared_pages(), key=lambda each: each[1].count("{"))
    if method == "GET" and not _ELSEWHERE.match(path)
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = served(
        tmp_path_factory.mktemp("browser") / "a_home_whose_path_is_longer_than_a_telephone_is_wide_in_letters"
    )
    yield server
    server.stop()


@pytest.fixture(scope="module")
def session(server: LiveServer) -> str:
    return session_of(server.services)


@pytest.fixture(scope="module")
def paths(server: LiveServer, session: str) -> list[str]:
    """One path of each kind. Raises AssertionError for a link that leads nowhere."""
    with httpx.Client(base_url=server.url, cookies={"airtally_session": session}, timeout=120) as client:
        return followed(client, f"/accounts/{SLUG}/overview")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def followed(client: httpx.Client, start: str) -> list[str]:
    found, waiting = dict[str, str](), [start]
    while waiting:
        path = waiting.pop(0)
        kind = _kind(path)
        if kind in found:
            continue
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[-600:])
        if answer.headers["content-type"].startswith("text/html"):
            found[kind] = path
            waiting += [each for each in _links(answer.text) if _kind(each) not in found]
    return list(found.values())


def _links(page: str) -> list[str]:
    hrefs = (each.replace("&amp;", "&") for each in re.findall(r'<a [^>]*?href="(/[^"]*)"', page))
    return [each for each in hrefs if not _ELSEWHERE.match(each) and "csv=" not in each]


def _kind(path: str) -> str:
    """The declared path, which is the same for pages that differ by what they show; else the path without its query."""
    plain = urlsplit(path).path
    return next((kind for kind, pattern in PATTERNS.items() if pattern.fullmatch(plain)), plain)


def test_links_lead_to_every_page(paths: list[str]) -> None:
    assert set(PATTERNS) - {_kind(path) for path in paths} == set()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_page_has_a_fault(
    server: LiveServer, session: str, paths: list[str], browser: Browser, scheme: Scheme, width: int
) -> None:
    """No error in the browser's console, nothing that axe-core calls serious or critical, nothing beside the screen."""
    faults = {}
    with tab(browser, server.url, session, scheme, width) as opened:
        for path in paths:
            opened.troubles.clear()
            opened.page.goto(path, wait_until="load")
            found = [*opened.troubles, *opened.faults()]
            if opened.overflow() > 0:
                found.append(f"{opened.overflow()} pixels wider than the screen")
            if found:
                faults[path] = found
    assert faults == {}


@pytest.mark.parametrize("path", ["/login", "/nowhere", "/accounts/nobody/overview"])
def test_pages_for_nobody_in_particular_have_none_either(server: LiveServer, browser: Browser, path: str) -> None:
    for scheme in SCHEMES:
        with tab(browser, server.url, None, scheme, 390) as opened:
            opened.page.goto(path)
            troubles = [each for each in opened.troubles if "404" not in each]  # the page itself, as asked for
            assert (troubles, opened.faults(), opened.overflow()) == ([], [], 0)


def test_the_keyboard_reaches_the_content_and_every_link(server: LiveServer, session: str, browser: Browser) -> None:
    with tab(browser, server.url, session) as opened:
        opened.page.goto(f"/accounts/{SLUG}/overview")
        opened.page.keyboard.press("Tab")
        assert opened.page.evaluate("() => document.activeElement.className") == "skip"
        opened.page.keyboard.press("Enter")
        assert opened.page.evaluate("() => document.activeElement.id") == "main"


def test_a_table_sorts_by_a_click_and_says_how(server: LiveServer, session: str, browser: Browser) -> None:
    with tab(browser, server.url, session) as opened:
        opened.page.goto(f"/accounts/{SLUG}/keys")
        heading = opened.page.locator("th", has_text="For").first
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") == "ascending"
        kinds = opened.page.locator("tbody tr td:nth-child(2)").all_inner_texts()
        assert (kinds, len(kinds) > 3) == (sorted(kinds), True)
        heading.get_by_role("button").click()
        assert opened.page.locator("tbody tr td:nth-child(2)").all_inner_texts() == sorted(kinds, reverse=True)
