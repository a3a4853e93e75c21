"""The pages of one-time links over HTTP: the first account and its operator, and signing in without a password."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from airtally.accounts.accounts import Account
from airtally.accounts.permissions import UserRole
from airtally.accounts.users import User
from airtally.settings import Settings
from fixtures.server import LiveServer

FORM = {
    "account": "Açaí Mídia",
    "slug": "",
    "timezone": "America/Sao_Paulo",
    "currency": "BRL",
    "person": "Ana Souza",
    "username": "ana",
    "email": "ana@example.org",
    "password": "correct horse",
}


@pytest.fixture(scope="module")
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Without any user, until the test of that."""
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("first"), rate_limits=False)).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(Settings(home=tmp_path_factory.mktemp("links"), rate_limits=False)).start()
    yield server
    server.stop()


@pytest.fixture
def user(server: LiveServer, request: pytest.FixtureRequest) -> User:
    access = server.services.access
    name = re.sub(r"\W", "-", request.node.name)[:60]
    account: Account = access.accounts.create(name, f"a{abs(hash(name)) % 10**9}")
    made: User = access.users.create(
        account, username=name, name="Bo", email="bo@example.org", password="correct horse", role=UserRole.ADMIN
    )
    return made


@pytest.fixture
def browser(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as client:
        yield client


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))


def link(server: LiveServer, user: User) -> str:
    path: str = server.services.access.links.make_sign_in_link(user).path
    return path


def errors(page: str) -> dict[str, str]:
    """What is said beside each field."""
    return dict(re.findall(r'<p class="wrong" id="(\w+)-error">([^<]+)</p>', page))


def test_the_first_account_and_its_operator_are_made_once(new_server: LiveServer) -> None:
    links = new_server.services.access.links
    path = links.make_setup_link().path
    with httpx.Client(base_url=new_server.url) as browser, httpx.Client(base_url=new_server.url) as other:
        assert browser.get("/setup?token=guessed").status_code == 404
        page = browser.get(path)
        assert (page.status_code, page.headers["referrer-policy"], page.headers["cache-control"]) == (
            200,
            "no-referrer",
            "no-store",
        )
        assert '<option value="Asia/Kathmandu">' in page.text
        form = FORM | hidden(page.text)
        wrong = browser.post(
            "/setup",
            data=form
            | {"account": " ", "slug": "Ü", "timezone": "Mars", "currency": "x", "email": "ana", "password": "short"},
        )
        assert wrong.status_code == 400
        assert errors(wrong.text).keys() == {"account", "slug", "timezone", "currency", "email", "password"}
        assert 'value="ana"' in wrong.text
        assert "short" not in wrong.text
        assert set(errors(browser.post("/setup", data=form | hidden(wrong.text) | {"account": "!!"}).text)) == {"slug"}
        forged = other.post("/setup", data=form)
        assert (forged.status_code, "The form has expired" in forged.text) == (403, True)
        assert new_server.services.access.users.all() == []

        late = other.get(path)
        made = browser.post("/setup", data=FORM | hidden(browser.get(path).text))
        assert (made.status_code, made.headers["location"]) == (303, "/")
        start = browser.get("/", follow_redirects=True)
        assert start.url.path == "/accounts/acai-midia/overview"
        assert "Açaí Mídia" in start.text
        for spent in (other.post("/setup", data=FORM | hidden(late.text)), other.get(path)):
            assert (spent.status_code, "This link has been used" in spent.text) == (404, True)
    entries = new_server.services.access.audit.entries(None)
    assert {(each.actor_kind, each.actor, each.action) for each in entries} == {
        ("user", "ana", "account.create"),
        ("user", "ana", "user.create"),
    }


def test_a_link_signs_in_by_its_button_alone(server: LiveServer, user: User, browser: httpx.Client) -> None:
    path = link(server, user)
    for _ in range(2):  # as programs do that show what a link is about
        page = httpx.get(server.url + path)
        assert (page.status_code, page.headers["referrer-policy"]) == (200, "no-referrer")
        assert "airtally_session" not in page.cookies
    page = browser.get(path + "&next=/accounts/x/explore?a%3D1")
    assert user.username in page.text
    entered = browser.post("/sign-in", data=hidden(page.text.replace("&amp;", "&")))
    assert (entered.status_code, entered.headers["location"]) == (303, "/accounts/x/explore?a=1")
    assert browser.get("/", follow_redirects=False).headers["location"] == f"/accounts/{user.account.slug}/overview"
    assert browser.get(path).headers["location"] == "/"  # a reload, by who is logged in by now
    assert httpx.get(server.url + path).status_code == 404
    again = browser.post("/sign-in", data=hidden(page.text))  # the button pressed twice
    assert (again.status_code, again.headers["location"]) == (303, "/accounts/x/explore?a=1")
    assert httpx.post(server.url + "/sign-in", data=hidden(page.text)).status_code == 404


def test_a_form_of_elsewhere_signs_nobody_in(server: LiveServer, user: User, browser: httpx.Client) -> None:
    path = link(server, user)
    form = hidden(browser.get(path).text)
    stolen = httpx.post(server.url + "/sign-in", data=form)
    assert (stolen.status_code, "airtally_session" in stolen.cookies) == (403, False)
    assert "press the button again" in stolen.text
    assert browser.post("/sign-in", data=form).status_code == 303


def test_a_session_of_another_ends_and_no_other_site_is_led_to(
    server: LiveServer, user: User, browser: httpx.Client
) -> None:
    planted = server.services.access.sessions.begin(user)
    browser.cookies.set("airtally_session", planted)
    form = hidden(browser.get(link(server, user)).text)
    entered = browser.post("/sign-in", data=form | {"next": "https://evil.example/"})
    assert entered.headers["location"] == "/"
    assert server.services.access.sessions.get(planted) is None


def test_guessing_is_slowed_as_for_keys(server: LiveServer) -> None:
    with httpx.Client(base_url=server.url) as guesser:
        took = [guesser.get(f"/{page}?token={number}").elapsed for number in range(8) for page in ("sign-in", "setup")]
    assert took[-1].total_seconds() > 0.5 > took[0].total_seconds()
