"""The pages of the console over HTTP: who sees which, what forms need, and how listings and errors are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airtally.accounts.permissions import UserRole
from airtally.console.assets import asset_address
from airtally.kit.clock import MovableClock
from airtally.settings import Settings
from fixtures.accounts import NOW_US
from fixtures.console import Browser
from fixtures.operations import declared_pages
from fixtures.server import LiveServer

PASSWORD = "correct horse"
#: Pages with nothing in their path but the account: each shows itself to whoever may see the account.
PAGES = sorted(path for method, path in declared_pages() if method == "GET" and not set("{}") & set(path[16:]))
FORMS = sorted(path for method, path in declared_pages() if method == "POST")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("console"), rate_limits=False)).start()
    access = server.services.access
    for slug, zone in (("acme", "America/Sao_Paulo"), ("himal", "Asia/Kathmandu")):
        account = access.accounts.create(slug=slug, name=slug.title(), timezone=zone, currency="USD")
        for role in UserRole:
            access.users.create(
                account, username=f"{slug}-{role}", name=slug, email="a@example.org", password=PASSWORD, role=role
            )
    yield server
    server.stop()


@pytest.fixture(scope="module")
def admin(server: LiveServer) -> Iterator[Browser]:
    with Browser(server, "acme-admin") as browser:
        yield browser


@pytest.fixture(scope="module")
def operator(server: LiveServer) -> Iterator[Browser]:
    with Browser(server, "acme-operator") as browser:
        yield browser


@pytest.fixture(scope="module")
def viewer(server: LiveServer) -> Iterator[Browser]:
    with Browser(server, "acme-viewer") as browser:
        yield browser


def of(path: str, slug: str) -> str:
    return re.sub(r"\{\w+\}", "1", path.replace("{slug}", slug))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_shown_to_its_people_alone(
    server: LiveServer, admin: Browser, operator: Browser, viewer: Browser, path: str
) -> None:
    """Of an account: to its users, and to operators for any account. Of the server: to operators."""
    page = of(path, "acme")
    assert httpx.get(server.url + page).headers["location"].startswith("/login?next=%2F")
    shown = operator.get(page)
    assert shown.status_code in {200, 303}, shown.text
    if path.startswith("/accounts/{slug}"):
        assert operator.get(of(path, "himal")).status_code in {200, 303}
        assert admin.get(page).status_code in {200, 303}
        assert viewer.get(page).status_code in {200, 303, 403}
        assert (admin.get(of(path, "himal")).status_code, admin.get(of(path, "nobody")).status_code) == (404, 404)
    else:
        status = 403 if path.startswith("/status") else 200
        assert (admin.get(page).status_code, viewer.get(page).status_code) == (status, status)


@pytest.mark.parametrize("path", FORMS)
def test_a_form_needs_the_token_of_its_session(admin: Browser, operator: Browser, path: str) -> None:
    page = of(path, "acme")
    for browser in (admin, operator):
        assert browser.post(page).status_code == 403
        assert browser.post(page, data={"csrf_token": "guessed"}).status_code == 403
    assert admin.submit(of(path, "himal")).status_code in {403, 404}


@pytest.mark.parametrize("path", PAGES)
def test_pages_run_no_script_of_their_own_text(operator: Browser, path: str) -> None:
    """Inline scripts and styles are refused by the policy, so there must be none."""
    page = operator.get(of(path, "acme"), follow_redirects=True)
    assert "script-src" not in page.headers["content-security-policy"]
    assert "'unsafe" not in page.headers["content-security-policy"]
    scripts = re.findall(r"<script(?![^>]*(?:src=|application/json))[^>]*>", page.text)
    assert (scripts, re.findall(r"\sstyle=|<style|\son\w+=", page.text)) == ([], [])
    for address in re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.text):
        assert operator.get(address).status_code == 200


def test_the_menu_has_what_the_visitor_may_see(viewer: Browser, operator: Browser) -> None:
    assert "/accounts/acme/keys" not in viewer.get("/accounts/acme/overview").text
    assert "/accounts/acme/keys" in operator.get("/accounts/acme/overview").text
    current = re.findall(r'<a href="([^"]+)" aria-current="page"', operator.get("/accounts/acme/keys").text)
    assert current == ["/accounts/acme/keys"]


def test_a_key_is_made_shown_once_listed_and_revoked(admin: Browser) -> None:
    made = admin.submit("/accounts/acme/keys", kind="native", scope="read", name="=Lobby")
    [token] = re.findall(r"<code>(airtally_[\w-]+)</code>", made.text)
    me = {"Authorization": f"Bearer {token}"}
    assert admin.get("/api/v1/me", headers=me).json()["account"] == "acme"
    listed = admin.get("/accounts/acme/keys")
    assert token not in listed.text
    assert re.search(r'<time datetime="[^"]+Z" title="[^"]+">', listed.text)
    assert "America/Sao_Paulo" in listed.text
    table = admin.get("/accounts/acme/keys", params={"csv": "keys"})
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert "'=Lobby,native," in table.text
    number = re.findall(r"/keys/(\d+)/revoke", listed.text)[-1]
    revoked = admin.submit(f"/accounts/acme/keys/{number}/revoke")
    assert (revoked.status_code, revoked.headers["location"]) == (303, "/accounts/acme/keys")
    after = admin.get("/accounts/acme/keys")
    assert f"Key {number} is revoked." in after.text
    assert f"Key {number} is revoked." not in admin.get("/accounts/acme/keys").text


def test_a_refused_form_is_shown_again_with_its_fields_and_the_reason(admin: Browser) -> None:
    refused = admin.submit("/accounts/acme/keys", kind="native", scope="nonsense", name="<i>Lobby")
    assert refused.status_code == 400
    assert "The scope &#39;nonsense&#39; cannot be used" in refused.text
    assert 'value="&lt;i&gt;Lobby"' in refused.text


def test_a_viewer_changes_nothing(viewer: Browser) -> None:
    refused = viewer.submit("/accounts/acme/keys", kind="native", scope="read")
    assert refused.status_code == 403


def test_an_asset_is_kept_for_a_year_and_packed(server: LiveServer) -> None:
    address = asset_address("console.css")
    packed = httpx.get(server.url + address)
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert "immutable" in packed.headers["cache-control"]
    plain = httpx.get(server.url + address, headers={"Accept-Encoding": "identity"})
    assert ("content-encoding" not in plain.headers, plain.text) == (True, packed.text)
    for wrong in ("/assets/console.css", "/assets/console.000000000000.css", "/assets/%2e%2e/serving.py"):
        assert httpx.get(server.url + wrong).status_code == 404


def test_the_assets_of_a_page_are_small(operator: Browser) -> None:
    """At most 200 KB compressed for any page but the one of the API."""
    page = operator.get("/accounts/acme/overview").text
    addresses = set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', page))
    sizes = [int(operator.head(address).headers["content-length"]) for address in addresses]
    assert 0 < sum(sizes) <= 200_000


def test_pages_have_a_limit_of_their_own_for_each_user(tmp_path: Path) -> None:
    """As the calls of a key have: a page may ask as much of the native API as several calls."""
    server = LiveServer(Settings(home=tmp_path, calls_per_minute=3), MovableClock(NOW_US)).start()
    access = server.services.access
    account = access.accounts.create("Acme", "acme")
    for name in ("ana", "eve"):
        access.users.create(account, username=name, name=name, email="a@example.org", password=PASSWORD)
    with Browser(server, "ana") as ana, Browser(server, "eve") as eve:
        statuses = [ana.get("/accounts/acme/settings").status_code for _ in range(8)]
        assert (statuses[:1], statuses[-1]) == ([200], 429)
        assert int(ana.get("/accounts/acme/settings").headers["retry-after"]) > 0
        assert eve.get("/accounts/acme/settings").status_code == 200
    server.stop()
