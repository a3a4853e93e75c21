"""The pages over real HTTP, by a client that keeps cookies as a browser does."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar, Request, Response, get
from litestar.handlers import HTTPRouteHandler

from airtally.accounts.access import Access
from airtally.accounts.accounts import Account, Accounts
from airtally.accounts.audit import AuditTrail
from airtally.accounts.call_limit import CallLimit
from airtally.accounts.declared import EventTypeRegistry
from airtally.accounts.keys import Keys
from airtally.accounts.limits import RateLimiter
from airtally.accounts.log_in import LogIn
from airtally.accounts.one_time_links import OneTimeLinks
from airtally.accounts.owners import Owners
from airtally.accounts.request_keys import RequestKeys
from airtally.accounts.secrets import Secrets
from airtally.accounts.sessions import Sessions
from airtally.accounts.tries import Tries
from airtally.accounts.users import Users
from airtally.console.login import routes, safe_path
from airtally.console.session import current_user, to_login
from airtally.database.clock import shared_clock
from airtally.database.store import MetadataStore
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Failure
from airtally.settings import Settings
from airtally.web.limits import Limits
from airtally.web.server import Server
from fixtures.postgres import on_sqlite

PASSWORD = "correct horse"


@dataclass
class Services:
    settings: Settings
    clock: MovableClock
    store: MetadataStore
    access: Access


@pytest.fixture
def services(
    metadata: MetadataStore, clock: MovableClock, secrets: Secrets, users: Users, keys: Keys, account: Account
) -> Services:
    users.create(account, username="ana", name="Ana", email="ana@example.org", password=PASSWORD)
    accounts, sessions = Accounts(metadata, clock), Sessions(metadata, secrets, users, clock)
    access = Access(
        secrets=secrets,
        accounts=accounts,
        keys=keys,
        users=users,
        sessions=sessions,
        links=OneTimeLinks(metadata, secrets, clock, accounts=accounts, users=users, sessions=sessions),
        owners=Owners(metadata),
        declared=EventTypeRegistry(metadata, clock),
        limiter=RateLimiter(metadata, clock),
        log_in=LogIn(users, Tries(metadata, shared_clock(metadata, clock))),
        call_limit=CallLimit(clock, per_minute=60),
        request_keys=RequestKeys(metadata, secrets, clock),
        audit=AuditTrail(metadata, clock, days=1),
    )
    return Services(Settings(), clock, metadata, access)


def someones_page(services: Services) -> HTTPRouteHandler:
    @get("/page", sync_to_thread=True)
    def page(request: Request) -> Response[str]:  # type: ignore[type-arg]
        user = current_user(request, services)
        return to_login(request) if user is None else Response(user.username)

    return page


@pytest.fixture
def site(services: Services) -> Iterator[str]:
    app = Litestar(
        [*routes(services), someones_page(services)],
        exception_handlers={Failure: lambda _, failure: Response(failure.message, status_code=failure.status)},
        openapi_config=None,
    )
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    server = Server(app, limits=Limits(), lifespan="off")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def browser(site: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site) as client:
        yield client


@pytest.fixture
def submit(browser: httpx.Client, clock: MovableClock) -> Callable[..., httpx.Response]:
    """Load the login page, fill in its form and send it."""

    def send(path: str = "/login", **fields: str) -> httpx.Response:
        clock.advance(1)
        form = {"username": "ana", "password": PASSWORD} | hidden(browser.get(path).text)
        return browser.post("/login", data=form | fields)

    return send


Submit = Callable[..., httpx.Response]


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))


def test_whoever_is_not_logged_in_comes_back_after_the_login(browser: httpx.Client, submit: Submit) -> None:
    sent = browser.get("/page?a=1&b=2")
    assert sent.status_code == 302
    assert sent.headers["location"] == "/login?next=%2Fpage%3Fa%3D1%26b%3D2"
    entered = submit(sent.headers["location"], next="/page?a=1&b=2")
    assert (entered.status_code, entered.headers["location"]) == (303, "/page?a=1&b=2")
    assert browser.get("/page").text == "ana"
    assert browser.get("/login?next=/page").headers["location"] == "/page"
    assert browser.get("/").headers["location"] == "/accounts/acme/overview"


def test_a_wrong_password_and_an_unknown_name_look_the_same(submit: Submit) -> None:
    wrong, unknown = submit(password="wrong password"), submit(username="eve")
    for answer, name in ((wrong, "ana"), (unknown, "eve")):
        assert answer.status_code == 401
        assert "airtally_session" not in answer.cookies
        assert "The user name or the password is wrong." in answer.text
        assert f'value="{name}"' in answer.text
        assert "wrong password<" not in answer.text


def test_a_form_of_elsewhere_is_refused(browser: httpx.Client, submit: Submit) -> None:
    assert browser.post("/login", data={"username": "ana", "password": PASSWORD}).status_code == 403
    assert submit(csrf_token="guessed").status_code == 403
    stolen = hidden(browser.get("/login").text)
    browser.cookies.clear()
    assert browser.post("/login", data={"username": "ana", "password": PASSWORD, **stolen}).status_code == 403
    assert submit().status_code == 303


def test_tries_are_limited(browser: httpx.Client, submit: Submit) -> None:
    assert submit(password="wrong password").status_code == 401
    form = {"username": "ana", "password": PASSWORD} | hidden(browser.get("/login").text)
    again = browser.post("/login", data=form)
    assert (again.status_code, again.headers["retry-after"]) == (429, "1")
    assert submit().status_code == 303


def test_leaving_ends_the_session_for_its_own_form_only(
    services: Services, browser: httpx.Client, submit: Submit
) -> None:
    submit()
    token = browser.cookies["airtally_session"]
    assert browser.post("/logout", data={"csrf_token": "guessed"}).status_code == 403
    assert browser.get("/page").text == "ana"
    session = services.access.sessions.get(token)
    assert session is not None
    left = browser.post("/logout", data={"csrf_token": session.csrf_token})
    assert (left.status_code, left.headers["location"]) == (303, "/login")
    assert browser.get("/page").status_code == 302
    browser.cookies.set("airtally_session", token)
    assert browser.get("/page").status_code == 302
    assert browser.post("/logout").status_code == 303


def test_a_login_never_takes_over_a_token(browser: httpx.Client, submit: Submit) -> None:
    browser.cookies.set("airtally_session", "planted")
    entered = submit()
    assert entered.cookies["airtally_session"] != "planted"
    assert len(entered.cookies["airtally_session"]) >= 40


def test_the_session_cookie_is_for_this_server_only(submit: Submit) -> None:
    cookie = next(each for each in submit().headers.get_list("set-cookie") if each.startswith("airtally_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


@on_sqlite
def test_cookies_are_secure_behind_https(services: Services, browser: httpx.Client) -> None:
    services.settings = services.settings.with_(public_url="https://tally.example.org")
    page = browser.get("/login")
    assert "Secure" in page.headers["set-cookie"]
    nonce = page.headers["set-cookie"].split(";")[0]  # the client does not send a secure cookie over http itself
    form = {"username": "ana", "password": PASSWORD} | hidden(page.text)
    entered = browser.post("/login", data=form, headers={"cookie": nonce})
    assert entered.status_code == 303
    assert all("Secure" in each for each in entered.headers.get_list("set-cookie") if "Max-Age=0" not in each)


@on_sqlite
def test_pages_cannot_be_framed_cached_or_scripted(browser: httpx.Client) -> None:
    page = browser.get("/login", params={"next": '/"><script>alert(1)</script>'})
    assert "<script>" not in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


@on_sqlite
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"username=%00&password=%00",
        b"username=ana&username=eve&password=" + b"x" * 15_000,
        b"=&&=;a;b=%zz&%",
    ],
)
def test_any_form_is_answered(browser: httpx.Client, body: bytes) -> None:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert browser.post("/login", content=body, headers=kind).status_code == 403


FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"


@on_sqlite
@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b"username=\xff\xfe"),
        (FORM, b"\xff\xfe=%ff&username=%00"),
        (FORM, b"username=ana&password=%FF"),
        (FORM, b"username=%ED%B3%BF&password=%ED%B3%BF"),  # half of a surrogate pair
        (FORM, b"&".join([b"username=ana"] * 1000)),
        (FORM + "; charset=utf-16", b"\xff\xfea\0"),
        ("", b"\x80\x81"),
        ("text/plain", b"\xff"),
        (PARTS, b'--x\r\nContent-Disposition: form-data; name="username"\r\n\r\n\xff\xfe\r\n--x--\r\n'),
        (PARTS, b'--x\r\nContent-Disposition: form-data; name="\xff\xfe"\r\n\r\na\r\n--x--\r\n'),
        (PARTS, b"--x\r\nno end"),
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=", b"--\r\n"),
    ],
)
def test_bytes_that_are_no_text_and_forms_that_are_none_are_bad_requests(
    browser: httpx.Client, path: str, kind: str, body: bytes
) -> None:
    assert browser.post(path, content=body, headers={"content-type": kind}).status_code == 400


@on_sqlite
def test_a_form_in_parts_is_taken_like_any(browser: httpx.Client) -> None:
    fields = {"username": "ana", "password": PASSWORD} | hidden(browser.get("/login").text)
    parts = {name: (None, value) for name, value in fields.items()}
    assert browser.post("/login", files=parts).status_code == 303


@dataclass
class Address:
    """A browser at an address of its own: all of 127.0.0.0/8 is this machine."""

    site: str
    host: str

    def __enter__(self) -> httpx.Client:
        self.client = httpx.Client(base_url=self.site, transport=httpx.HTTPTransport(local_address=self.host))
        return self.client

    def __exit__(self, *_: object) -> None:
        self.client.close()


def enter(browser: httpx.Client, password: str, username: str = "ana") -> int:
    form = {"username": username, "password": password} | hidden(browser.get("/login").text)
    return browser.post("/login", data=form).status_code


def test_thirty_addresses_that_guess_at_a_user_are_slowed_and_the_users_device_is_not(
    site: str, browser: httpx.Client, clock: MovableClock
) -> None:
    assert enter(browser, PASSWORD) == 303
    browser.cookies.delete("airtally_session")
    statuses: list[int] = []
    for each in range(2, 32):
        with Address(site, f"127.0.0.{each}") as attacker:
            statuses += [enter(attacker, f"guess {each}"), enter(attacker, f"guess {each}", "nobody")]
    assert statuses.count(401) <= 2
    assert set(statuses) == {401, 429}
    assert enter(browser, PASSWORD) == 303


def test_a_refused_try_does_not_extend_the_wait(browser: httpx.Client, clock: MovableClock) -> None:
    assert enter(browser, "wrong password") == 401
    for _ in range(4):
        clock.advance(0.2)
        assert enter(browser, PASSWORD) == 429
    clock.advance(0.2)
    assert enter(browser, PASSWORD) == 303


def test_log_ins_are_limited_though_rate_limits_are_off(start_server, clock):
    server = start_server(clock, rate_limits=False)
    with httpx.Client(base_url=server.url) as browser:
        assert [enter(browser, "guess"), enter(browser, "guess")] == [401, 429]


@on_sqlite
def test_a_huge_form_is_refused_unread(browser: httpx.Client) -> None:
    assert browser.post("/login", data={"password": "x" * 100_000}).status_code == 413


@given(st.text(max_size=40))
def test_nobody_is_sent_elsewhere(wanted: str) -> None:
    path = safe_path(wanted)
    assert path == "/" or (path == wanted and re.fullmatch(r"/(?!/)[ -\[\]-~]*", path))


@pytest.mark.parametrize("wanted", [None, "", "//evil.org", "/\\evil.org", "https://evil.org", "/a\r\nX: y", "/\t/e"])
def test_elsewhere_is_home(wanted: str | None) -> None:
    assert safe_path(wanted) == "/"
