"""Connect in the console: an API from nothing to an answer, by its forms alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from airtally.accounts.permissions import UserRole
from airtally.api.connections import CONNECTIONS
from airtally.settings import Settings
from fixtures.server import LiveServer

ROOT = Path(__file__).parents[2]
PAGE = "/accounts/shop/connect/tapjoy"


class Visitor(httpx.Client):
    """Logged in as a new user of an account."""

    def __init__(self, server: LiveServer, slug: str, role: UserRole) -> None:
        access = server.services.access
        account = access.accounts.by_slug(slug)
        fields = {"username": f"{slug}-{role}", "name": "N", "email": "a@example.org", "password": "correct horse"}
        token = access.sessions.begin(access.users.create(account, role=role, **fields))
        super().__init__(base_url=server.url, cookies={"airtally_session": token}, timeout=60)
        self._csrf = access.sessions.get(token).csrf_token

    def submit(self, path: str, **fields: str) -> httpx.Response:
        return self.post(path, data={"csrf_token": self._csrf, **fields}, follow_redirects=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("connect"), rate_limits=False)).start()
    for slug in ("shop", "rival"):
        server.services.access.accounts.create(slug=slug, name=slug.title())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def admin(server: LiveServer) -> Iterator[Visitor]:
    with Visitor(server, "shop", UserRole.ADMIN) as visitor:
        yield visitor


def states(page: str) -> dict[str, str]:
    """Of the items of the check-list."""
    found = re.findall(r'<li id="([\w-]+)">\s*<h3>[^<]*<span class="badge[^>]*>(\w+)</span>', page)
    assert found
    return dict(found)


def test_from_nothing_to_an_answer_by_forms_alone(server: LiveServer, admin: Visitor) -> None:
    assert states(admin.get(PAGE).text) == {"ad_groups": "missing", "ad_events": "missing", "tapjoy-keys": "missing"}
    assert "First declare what the check-list says" in admin.get(PAGE).text
    declared = admin.submit(f"{PAGE}/things/ad_groups", ad_group_id="g,1 <b>'", name="Shop of the shop", platform="iOS")
    assert "Ad groups: declared." in declared.text
    assert states(declared.text)["ad_groups"] == "there"
    assert "<code>g,1 &lt;b&gt;&#39; (Shop of the shop)</code>" in declared.text
    made = admin.submit(f"{PAGE}/keys", kind="tapjoy", name="Script", language="python")
    [secret] = re.findall(r"KEY = &#34;([\w+/=]{100,})&#34;", made.text)
    assert f"<code>{secret}</code>" in made.text
    assert "YOUR_" not in made.text
    assert secret not in admin.get(PAGE).text
    tried = admin.submit(f"{PAGE}/try?language=python")
    bodies = [
        unescape(each) for each in re.findall(r"<h3>Body</h3>\s*<pre[^>]*><code>(.*?)</code>", tried.text, re.DOTALL)
    ]
    assert ['"access_token": "•••"' in bodies[0], '"paid_clicks"' in bodies[1]] == [True, True]
    assert '<a href="/accounts/shop/connect/tapjoy?language=python#program" aria-current="true">' in tried.text


def test_a_key_is_imported_by_its_fields_and_revoked(admin: Visitor) -> None:
    page = "/accounts/shop/connect/scaleengine"
    secrets = {"imported.api_key": "k" * 32, "imported.secret_key": "s" * 64, "imported.cdn": "158"}
    made = admin.submit(f"{page}/keys", kind="scaleengine", **{"import": "yes"}, **secrets)
    assert "The new key" in made.text
    shown = admin.get(page).text
    assert states(shown)["cdn"] == "there"
    assert "<code>158</code>" in shown
    [number] = re.findall(r"/keys/(\d+)/revoke", shown)
    assert f"Key {number} is revoked." in admin.submit(f"{page}/keys/{number}/revoke").text
    again = admin.submit(f"{page}/keys", kind="scaleengine", **{"import": "yes"}, **secrets)
    assert (again.status_code, "This key is known already" in again.text) == (409, True)
    assert "s" * 64 not in again.text
    empty = admin.submit(f"{page}/keys", kind="scaleengine", **{"import": "yes"})
    assert (empty.status_code, "No field of the key is given" in empty.text) == (400, True)


def test_a_refused_form_is_shown_where_it_stands(admin: Visitor) -> None:
    page = "/accounts/shop/connect/fouryousee"
    refused = admin.submit(f"{page}/things/players", item="players", player_id="two", name="<i>Lobby")
    assert refused.status_code == 400
    assert refused.text.count("Number of the player is to be a whole number") == 2
    assert 'value="&lt;i&gt;Lobby"' in refused.text
    assert admin.submit(f"{page}/things/none", name="x").status_code == 404
    assert admin.get("/accounts/shop/connect/none").status_code == 404


@pytest.mark.parametrize("item", ["playlogs", "fouryousee-keys"])
def test_what_has_no_form_is_not_declared_by_one(admin: Visitor, item: str) -> None:
    """Rows come by files and calls, and the secrets of a key are to be seen."""
    assert admin.submit(f"/accounts/shop/connect/fouryousee/things/{item}", item=item).status_code == 404


def test_its_links_lead_to_pages_of_the_docs(admin: Visitor) -> None:
    pages = [admin.get(f"/accounts/shop/connect{name}").text for name in ("", *(f"/{each}" for each in CONNECTIONS))]
    linked = set(re.findall(r'href="/(docs/[^"]+)\.html"', "".join(pages)))
    assert {f"docs/guides/moving/{each}" for each in CONNECTIONS if each != "native"} < linked
    for each in linked:
        page = ROOT / f"{each}.md"
        assert page.exists() or page.with_name("README.md").exists(), each


def test_whoever_may_only_read_sees_no_keys_and_changes_nothing(server: LiveServer) -> None:
    with Visitor(server, "shop", UserRole.VIEWER) as viewer:
        shown = viewer.get(PAGE).text
        assert "Only admins of the account" in shown
        assert re.findall(r"<form[^>]*action=\"/accounts", shown) == []
        assert viewer.submit(f"{PAGE}/things/ad_groups", ad_group_id="g", name="G", platform="iOS").status_code == 403
        assert viewer.submit(f"{PAGE}/keys", kind="tapjoy").status_code == 403
        assert viewer.submit(f"{PAGE}/try").status_code == 403
    with Visitor(server, "rival", UserRole.ADMIN) as rival:
        assert rival.get(PAGE).status_code == 404
        assert rival.submit(f"{PAGE}/keys", kind="tapjoy").status_code == 404
        assert "Shop of the shop" not in rival.get("/accounts/rival/connect/tapjoy").text
