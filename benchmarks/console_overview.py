"""The console's overview with the demo's data: the first byte, the full load in Chromium, and a chart of many points."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.harness import Aim, Place, Result
from benchmarks.machine import cpu_seconds
from benchmarks.raw import percentile
from benchmarks.server import AIRTALLY, SLUG, Caller, Home, Server

_USER, _PASSWORD = "benchmark", "the benchmark's password"
_PATH = f"/accounts/{SLUG}/overview"
_POINTS = 100_000
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
#: Draws a chart of so many points, and gives the milliseconds until it has been painted.
_DRAW = """async (points) => {
  const times = Array.from({length: points}, (_, at) => 1700000000 + 60 * at);
  const values = times.map((_, at) => Math.round(500 + 400 * Math.sin(at / 700) + (at * 7919) % 100));
  const chart = {title: "points", zone: "UTC", times, series: [{label: "points", values}], kind: "line"};
  const figure = document.createElement("figure");
  figure.className = "chart";
  figure.dataset.chart = "";
  figure.innerHTML = '<figcaption></figcaption><script type="application/json"></' + 'script><div class="plot"></div>';
  figure.querySelector("script").textContent = JSON.stringify(chart);
  document.querySelector("main").prepend(figure);
  const begun = performance.now();
  document.dispatchEvent(new CustomEvent("htmx:load", {detail: {elt: figure}}));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const taken = performance.now() - begun;
  if (!figure.querySelector("canvas")) throw new Error("nothing was drawn");
  figure.remove();
  return taken;
}"""
#: What a load came to: milliseconds until its end with all charts drawn, and the compressed bytes of its assets.
_LOADED = """() => ({
  load: performance.getEntriesByType("navigation")[0].loadEventEnd,
  charts: document.querySelectorAll("[data-drawn=yes]").length,
  bytes: performance.getEntriesByType("resource").reduce((sum, each) => sum + each.encodedBodySize, 0),
})"""


@dataclass
class FirstBytes:
    """Seconds from calls to their first bytes, and the processor time that the server took for all of them."""

    seconds: list[float] = field(default_factory=list)
    cpu: float = 0.0

    def figures(self, what: str) -> dict[str, float]:
        return {
            f"{what}, first byte p50 ms": percentile(self.seconds, 0.5),
            f"{what}, first byte p95 ms": percentile(self.seconds, 0.95),
            f"{what}, server CPU ms": 1000 * self.cpu / len(self.seconds),
        }


def console_overview(place: Place) -> Result:
    rows, rounds, loads = place.size(3_000_000, 20_000), place.size(100, 5), place.size(15, 2)
    home = _demo(place, rows)
    with Server(home) as server:
        session = _signed_in(server)
        kept = _first_bytes(server, session, rounds, with_rows=False)
        after_rows = _first_bytes(server, session, rounds, with_rows=True)
        with _chromium() as browser:
            times, size = _full_loads(browser, server, session, loads)
            drawn = _chart_times(browser, server, session, loads)
    return Result(
        name="console_overview",
        title="the console's overview with the demo's data, and a chart of 100,000 points, in Chromium",
        parameters={"playlogs": rows, "requests": rounds, "loads": loads, "points": _POINTS},
        figures={
            **kept.figures("no new rows"),
            **after_rows.figures("a new row before each"),
            "full load p50 ms": percentile(times, 0.5),
            "full load p95 ms": percentile(times, 0.95),
            "assets, compressed KB": size / 1000,
            "chart of 100,000 points p50 ms": percentile(drawn, 0.5),
        },
        aims=[
            Aim("first byte p95", kept.figures("")[", first byte p95 ms"], 100, "ms", at_most=True),
            Aim("full load p50", percentile(times, 0.5), 800, "ms", at_most=True),
            Aim("chart of 100,000 points", percentile(drawn, 0.5), 300, "ms", at_most=True),
            Aim("assets compressed", size / 1000, 200, "KB", at_most=True),
        ],
        notes=["each load is of a browser without a cache, and ends when all charts are drawn"],
    )


def _demo(place: Place, rows: int) -> Home:
    """The demo's home with current rollups, and a user of its larger account."""
    folder = place.folder("console").with_name("console-demo")
    shutil.rmtree(folder, ignore_errors=True)
    home = Home.at(folder)
    home.run("demo", "--no-serve", "--port", "0", "--rows", str(rows))
    home.run("lake", "compact")
    home.run("lake", "rollups")
    home.token = home.key("native", "--scope", "write", "--scope", "read")["token"]
    made = ("user", "create", "--account", SLUG, "--username", _USER, "--name", "B", "--email", "b@example.org")
    subprocess.run(
        [AIRTALLY, *made, "--password-stdin"],
        env=home.environment,
        input=_PASSWORD,
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return home


def _signed_in(server: Server) -> str:
    """The token of a session, by the log-in form."""
    with Caller(server) as caller:
        form = caller.ask("GET", "/login", {})
        token = re.search(rb'name="csrf_token" value="([^"]+)"', form.text)
        if token is None:
            raise RuntimeError("the log-in form has no token")
        fields = {"csrf_token": token[1].decode(), "username": _USER, "password": _PASSWORD, "next": "/"}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": form.cookies}
        entered = caller.ask("POST", "/login", headers, urlencode(fields).encode())
    session = SimpleCookie(entered.cookies).get("airtally_session")
    if session is None:
        raise RuntimeError(f"the log-in was answered {entered.status}")
    return session.value


def _first_bytes(server: Server, session: str, rounds: int, *, with_rows: bool) -> FirstBytes:
    """The first two requests are not counted. With `with_rows` no answer can be given from memory."""
    found = FirstBytes()
    with Caller(server) as caller:
        for number in range(-2, rounds):
            if with_rows:
                _send_play(caller, number)
            before = cpu_seconds(server.pid)
            answer = caller.ask("GET", _PATH, {"Cookie": f"airtally_session={session}"})
            if answer.status != 200:
                raise RuntimeError(f"the overview was answered {answer.status}: {answer.text[:500]!r}")
            if number >= 0:
                found.seconds.append(answer.first_byte)
                found.cpu += cpu_seconds(server.pid) - before
    return found


def _send_play(caller: Caller, number: int) -> None:
    play = {"id": f"console {number}", "player_id": 2, "media_id": 51, "played_at": time.strftime("%Y-%m-%dT00:00:00")}
    status, answer = caller.call("POST", "/api/v1/streams/playlogs/events", json.dumps(play).encode())
    if status != 200 or answer["rejected"]:
        raise RuntimeError(f"a play was answered {status}: {answer}")


@contextmanager
def _chromium() -> Iterator[Browser]:
    path = next((found for name in _CHROMIUM if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@contextmanager
def _opened(browser: Browser, server: Server, session: str) -> Iterator[Page]:
    """The overview in a browser that has nothing in its cache, with all charts drawn."""
    url = f"http://127.0.0.1:{server.port}"
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=url)
    context.add_cookies([{"name": "airtally_session", "value": session, "url": url}])
    page = context.new_page()
    page.goto(_PATH, wait_until="load")
    page.wait_for_function("() => performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
    yield page
    context.close()


def _full_loads(browser: Browser, server: Server, session: str, loads: int) -> tuple[list[float], float]:
    """Seconds of each load, and the bytes of the assets of the last. The first one is not counted."""
    times, size = [], 0.0
    for number in range(-1, loads):
        with _opened(browser, server, session) as page:
            found: dict[str, Any] = page.evaluate(_LOADED)
        if not found["charts"]:
            raise RuntimeError("the overview has no chart")
        size = found["bytes"]
        if number >= 0:
            times.append(found["load"] / 1000)
    return times, size


def _chart_times(browser: Browser, server: Server, session: str, loads: int) -> list[float]:
    """Seconds until the chart is painted, each in a page of its own."""
    times = []
    for _ in range(loads):
        with _opened(browser, server, session) as page:
            times.append(page.evaluate(_DRAW, _POINTS) / 1000)
    return times
