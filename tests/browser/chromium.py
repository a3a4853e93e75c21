"""A real Chromium, and pages of the console in it as somebody who is logged in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
#: A desk's screen and a telephone's.
WIDTHS = (1440, 390)
#: Faults of accessibility of these kinds fail a test.
GRAVE = {"serious", "critical"}
_AXE = Path(__file__).parents[1] / "javascript" / "node_modules" / "axe-core" / "axe.min.js"
#: What Swagger UI draws: 5.35 has labels without a field, and grey on grey.
_FOREIGN = "#api-document"
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Raises FileNotFoundError where `scripts/browser` has not run."""
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        raise FileNotFoundError("Chromium is not installed: run scripts/browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@dataclass
class Tab:
    """A page, and what went wrong on it: errors of scripts, refusals of the policy, answers of 4xx and 5xx to its parts."""

    page: Page
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.set_default_timeout(30_000)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.troubles.append(message.text)

    def faults(self) -> list[str]:
        """Grave faults of accessibility, each with its rule and element."""
        if not self.page.evaluate("() => Boolean(window.axe)"):
            self.page.evaluate(_AXE.read_text())
        found = self.page.evaluate(
            "([foreign]) => axe.run({exclude: [[foreign]]}, {resultTypes: ['violations']})", [_FOREIGN]
        )
        return [
            f"{each['id']}: {node['html'][:120]}: {node['any'][0]['message'] if node['any'] else ''}"
            for each in found["violations"]
            if each["impact"] in GRAVE
            for node in each["nodes"]
        ]

    def overflow(self) -> int:
        """Pixels by which the page is wider than the screen."""
        return int(self.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth"))


@contextmanager
def tab(browser: Browser, url: str, session: str | None, scheme: Scheme = "light", width: int = 1440) -> Iterator[Tab]:
    """A tab of its own; `session` is the token of the cookie, `url` the server's address."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, base_url=url)
    if session is not None:
        context.add_cookies([{"name": "airtally_session", "value": session, "url": url}])
    yield Tab(context.new_page())
    context.close()
