"""The documentation at `/docs` in a real Chromium: its policy refuses nothing that a page needs, and the search finds.

A page of each sort is looked at. That the policy of every page fits it: tests/test_docs_site.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser.chromium import Scheme, chromium, tab
from fixtures.docs_site import build_site, docs_server

pytestmark = pytest.mark.browser

#: The first, one of long tables, one with names above its blocks, one of patches.
PAGES = ("index", "reference/streams", "guides/moving/tapjoy", "guides/contributing/vendor-api")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("docs")
    build_site(folder)
    with docs_server(folder) as server:
        yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_no_page_has_a_fault(url: str, browser: Browser, scheme: Scheme, width: int) -> None:
    """No error in the browser's console, no request to elsewhere, no grave fault of accessibility, nothing cut off."""
    faults: dict[str, list[str]] = {}
    with tab(browser, url, None, scheme, width) as opened:
        asked: list[str] = []
        opened.page.on("request", lambda request: asked.append(request.url))
        for page in PAGES:
            opened.troubles.clear()
            opened.page.goto(f"/docs/{page}.html", wait_until="load")
            wide = [f"{opened.overflow()} pixels wider than the screen"] if opened.overflow() > 0 else []
            faults[page] = [*opened.troubles, *opened.faults(), *wide]
    assert faults == {page: [] for page in PAGES}
    assert [each for each in asked if not each.startswith((f"{url}/docs/", "data:"))] == []


def test_the_search_finds(url: str, browser: Browser) -> None:
    with tab(browser, url, None) as opened:
        opened.page.goto("/docs/index.html", wait_until="load")
        opened.page.get_by_role("button", name="Search").first.click()
        opened.page.get_by_role("combobox", name="Search").fill("adoption")
        opened.page.locator("ol a").filter(has_text="Glossary").first.click()
        opened.page.wait_for_url("**/docs/reference/glossary.html*")
        assert opened.troubles == []
