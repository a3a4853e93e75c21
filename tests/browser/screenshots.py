"""`make screenshots`: pictures of the console for README and docs, from the demo's data; `--all FOLDER` takes every page."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import httpx
from playwright.sync_api import Browser

from browser.chromium import SCHEMES, WIDTHS, Scheme, chromium, tab
from browser.home import SLUG, served, session_of
from browser.test_every_page import followed
from fixtures.server import LiveServer

IMAGES = Path(__file__).parents[2] / "docs" / "images"
#: The pictures of the docs, and the pages that they show.
PICTURES = {
    "overview": f"/accounts/{SLUG}/overview",
    "explore": f"/accounts/{SLUG}/explore",
    "connect": f"/accounts/{SLUG}/connect/fouryousee",
}
_DEMO_ROWS = 300_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="screenshots", description=__doc__)
    parser.add_argument("--all", type=Path, help="every page, light and dark, wide and narrow, into this folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        server = served(Path(folder) / "home", _DEMO_ROWS)
        session = session_of(server.services)
        if asked.all is None:
            for name, path in PICTURES.items():
                _take(browser, server, session, path, IMAGES / f"{name}.png")
        else:
            _take_all(browser, server, session, asked.all)
        server.stop()


def _take_all(browser: Browser, server: LiveServer, session: str, folder: Path) -> None:
    with httpx.Client(base_url=server.url, cookies={"airtally_session": session}, timeout=120) as client:
        paths = ["/login", *followed(client, f"/accounts/{SLUG}/overview")]
    for path in paths:
        name = path.partition("?")[0].strip("/").replace("/", "_")
        for scheme in SCHEMES:
            for width in WIDTHS:
                _take(browser, server, session, path, folder / f"{name}-{scheme}-{width}.png", scheme, width)


def _take(
    browser: Browser,
    server: LiveServer,
    session: str,
    path: str,
    image: Path,
    scheme: Scheme = "light",
    width: int = 1440,
) -> None:
    image.parent.mkdir(parents=True, exist_ok=True)
    with tab(browser, server.url, None if path == "/login" else session, scheme, width) as opened:
        opened.page.goto(path, wait_until="load")
        opened.page.wait_for_timeout(400)
        opened.page.screenshot(path=str(image), full_page=image.parent != IMAGES)
    image.chmod(0o644)
    print(image)


if __name__ == "__main__":
    main()
