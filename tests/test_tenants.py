"""Every route there is, called with another account's keys and session: nothing of the first account comes of it.

A route that is not in `ROUTES` fails the first test: whoever adds one says here how its account is known.
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
import time

import httpx
import pytest

from airtally.accounts.guessing import Guesses
from airtally.kit.clock import MovableClock
from airtally.query.sql_tables import SQL_TABLES
from airtally.settings import Settings
from airtally.vendors.slate.entries import NewBusiness
from airtally.vendors.slate.services import slate_services
from fixtures.accounts import NOW_US
from fixtures.native import Native
from fixtures.operations import declared_operations, declared_pages
from fixtures.server import LiveServer
from fixtures.signage import Site
from fixtures.slate import published
from fixtures.viewers import request, sample, signed

PLAY = {"player_id": 7001, "media_id": 8001, "played_at": "2026-10-01T08:00:00"}
VERSION = "2026-10-01T00:00:00Z"
PASSWORD = "correct horse"

OPERATIONS = declared_operations()

#: What each route gives is, with its methods, one of: "open" (no account's data), "native", "fouryousee", "tapjoy" or
#: "slate" (the key's account), "signed" (the account of the key in the body), "session" (the logged-in user's), "link"
#: (its own permission). OPTIONS answers alone are the framework's; HEAD is GET without a body.
ROUTES = (
    {
        ("GET", "/healthz"): "open",
        ("GET", "/readyz"): "open",
        ("GET", "/metrics"): "open",
        ("GET", "/api/v1"): "open",
        ("GET", "/api/v1/openapi"): "open",
        ("GET", "/api/v1/openapi.json"): "open",
        ("GET", "/api/v1/openapi/{document}"): "open",
        ("POST", "/api/v1/streams/{stream}/events"): "native",
        ("GET", "/"): "session",
        ("GET", "/login"): "open",
        ("POST", "/login"): "open",
        ("POST", "/logout"): "session",
        ("GET", "/setup"): "link",
        ("POST", "/setup"): "link",
        ("GET", "/sign-in"): "open",
        ("POST", "/sign-in"): "open",
        ("GET", "/assets/{name}"): "open",
        ("GET", "/docs"): "open",
        ("GET", "/docs/{name}"): "open",
        ("GET", "/v1/reports"): "fouryousee",
        ("POST", "/v1/reports"): "fouryousee",
        ("GET", "/v1/reports/{item}"): "fouryousee",
        ("GET", "/v1/players"): "fouryousee",
        ("GET", "/v1/players/{item}"): "fouryousee",
        ("GET", "/v1/medias"): "fouryousee",
        ("GET", "/v1/medias/{item}"): "fouryousee",
        ("GET", "/v1/users"): "fouryousee",
        ("GET", "/v1/medias/categories"): "fouryousee",
        ("GET", "/v1/playlists"): "open",
        ("GET", "/v1/playlists/{item}"): "open",
        ("GET", "/reporting_data.json"): "open",  # who calls stands in the query: `test_row_35_the_legacy_report`
        ("POST", "/v1/oauth2/token"): "tapjoy",
        ("GET", "/v1/ad_groups/{ad_group_id}/insights"): "tapjoy",
        ("POST", "/auth/o2/token"): "slate",
        ("GET", "/apis/v2/accounts"): "slate",
        ("GET", "/apis/v2/accounts/{slate_account}"): "slate",
        ("GET", "/apis/v2/accounts/{slate_account}/{group}"): "slate",
        ("GET", "/apis/v2/accounts/{slate_account}/{group}/{business}/datasets"): "slate",
        ("GET", "/apis/v2/accounts/{slate_account}/{group}/{business}/datasets/{dataset}"): "slate",
        ("GET", "/files/{file_id}"): "link",
        ("POST", "/stable"): "signed",
        ("POST", "/dev"): "signed",
        ("GET", "/admin/reports_api.php"): "session",
        ("POST", "/json/1.3/{name}"): "open",  # who calls stands in the body: `test_statistics_are_an_accounts_own`
        ("GET", "/files/tags/{name}"): "link",
        ("GET", "/{slug}/{name}"): "link",
    }
    | dict.fromkeys(OPERATIONS, "native")
    | dict.fromkeys(declared_pages(), "session")
)


def routes_of(server):
    """(method, path) of every route, and the one that is not Litestar's."""
    found = {("POST", "/api/v1/streams/{stream}/events")}
    for route in server.app._site.routes:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        found |= {(method, path) for method in route.methods if method not in {"OPTIONS", "HEAD"}}
    return found


class Tenant:
    """An account with rows in every kind of store, a report with its file, a user, keys and a quarantine entry.

    `mark` is in each of its texts; what another account gets must not hold it.
    """

    def __init__(self, server):
        #: As the last test has found it, if nothing but attempts of others came after.
        self.last_state = None
        self.mark = f"mark{secrets.token_hex(4)}"
        self.server, services = server, server.services
        self.native = Native(server, self.mark, scopes=("read", "write", "admin"))
        self.account = self.native.account
        self.token = services.access.keys.create(self.account, "fouryousee").credentials["secret_token"]
        reporting = services.access.keys.create(self.account, "tapjoy").credentials["reporting_api_key"]
        services.access.keys.issue_token(
            services.access.keys.authenticate("tapjoy", reporting), "access", f"{self.mark} tapjoy"
        )
        self.tapjoy = {"Authorization": f"Bearer {self.mark} tapjoy"}
        self.slate = services.access.keys.create(self.account, "slate").credentials
        self.slate_headers = {"Authorization": f"Bearer {self.slate['access_token']}"}
        self.signing = services.access.keys.create(self.account, "scaleengine").credentials
        self.user = services.access.users.create(
            self.account, username=self.mark, name=self.mark, email=f"{self.mark}@x.org", password=PASSWORD
        )
        self.session = services.access.sessions.begin(self.user)
        self.http = httpx.Client(
            base_url=server.url,
            headers={"Secret-Token": self.token, "Authorization": f"Bearer {self.native.token}"},
            cookies={"airtally_session": self.session},
            timeout=120,
        )

    @property
    def ids(self):
        """What stands for each parameter in the paths of the native API."""
        return {
            "slug": self.account.slug,
            "stream": "ad_groups",
            "record": self.mark,
            "username": self.mark,
            "key_id": self.server.services.access.keys.all(self.account)[0].id,
            "export_id": self.export_id,
            "entry_id": self.server.services.intake.quarantine.entries(self.account)[0].id,
            "report_id": self.report["id"],
            "alarm_id": self.alarm_id,
            "webhook_id": self.webhook_id,
            "report_delivery_id": self.report_delivery_id,
            "delivery_id": self.delivery_id,
            "job_id": self.server.services.jobs.latest(self.account.id)[0].id,
            "number": 1,
            "erasure_id": self.erasure_id,
            "schedule_id": self.schedule_id,
            "run_id": self.run_id,
            "account_export_id": self.account_export_id,
            "name": "metadata.ndjson",
            "writer": "nobody",
            "slate_account": self.mark,
            "group": self.mark,
            "business": self.mark,
            "dataset": self.mark,
            "publication_id": self.publication_id,
            "task_id": 1,
            "connection": "tapjoy",
        }

    def close(self):
        self.http.close()
        self.native.http.close()

    def fill(self):
        rows = {
            "playlogs": [PLAY | {"id": self.mark}],
            "players": [{"player_id": 7001, "name": self.mark, "last_update_time_utc": VERSION}],
            "medias": [{"media_id": 8001, "name": self.mark, "last_update_time_utc": VERSION}],
            "ad_groups": [{"ad_group_id": self.mark, "name": self.mark, "platform": "iOS"}],
            "viewer_apps": [{"app": self.mark, "app_id": 9001}],
            "viewer_samples": sample(self.mark, self.mark, "2026-11-02T09:00", e1=1),
        }
        for stream, each in rows.items():
            assert self.native.send(stream, each).json()["rejected"] == 0
        self.native.send("playlogs", json.dumps({"player_id": self.mark}).encode(), **{"Idempotency-Key": self.mark})
        self.fill_slate()
        made = self.http.post(
            "/v1/reports", json={"type": "detailed", "filter": {"startDate": "2026-10-01", "endDate": "2026-10-01"}}
        )
        site = Site.__new__(Site)
        site.http = self.http
        self.report = site.ended(made.json()["id"])
        with self.server.services.store.begin() as connection:
            self.server.services.deliveries.add(
                connection, self.account.id, self.report["id"], f"http://127.0.0.1:1/{self.mark}", "{}"
            )
        self.report_delivery_id = self.server.services.deliveries.latest(self.account.id)[0].id
        self.fill_webhooks()
        self.fill_alarms()
        self.fill_exports()
        self.fill_erasures()
        self.fill_schedules()
        self.fill_account_export()
        return self

    def fill_webhooks(self):
        """One that is never reached, with a message that waits for it."""
        webhooks = self.server.services.webhooks
        self.webhook_id = webhooks.endpoints.create(self.account, f"https://{self.mark}.invalid/").endpoint.id
        self.delivery_id = webhooks.deliveries.ping(self.account, self.webhook_id).id

    def fill_alarms(self):
        """One that never fires."""
        asked = {"name": self.mark, "condition": {"kind": "late", "after_seconds": 86_400}}
        self.alarm_id = self.native.http.post("/api/v1/alarms", json=asked).json()["id"]

    def fill_exports(self):
        """One export that is done."""
        asked = {"rows": {"stream": "playlogs", "filter": {"id": self.mark}}, "format": "ndjson", "compression": "none"}
        export = self.native.http.post("/api/v1/exports", json=asked).json()
        self.export_id = export["id"]
        while export["state"] in {"queued", "running"}:
            export = self.native.http.get(f"/api/v1/exports/{self.export_id}").json()

    def fill_erasures(self):
        """One of nobody's rows, whose listing has the account's key."""
        erasure = self.native.http.post("/api/v1/erasures", json={"cid": [f"nobody of {self.mark}"]}).json()
        self.erasure_id = erasure["id"]
        while erasure["state"] in {"waiting", "erasing"}:
            erasure = self.native.http.get(f"/api/v1/erasures/{self.erasure_id}").json()

    def fill_schedules(self):
        """One schedule with a run that is done."""
        asked = {"name": self.mark, "cron": "0 6 * * *", "export": {"rows": {"stream": "playlogs"}}}
        self.schedule_id = self.native.http.post("/api/v1/schedules", json=asked).json()["id"]
        run = self.native.http.post(f"/api/v1/schedules/{self.schedule_id}/runs", json={}).json()
        self.run_id = run["id"]
        while run["state"] not in {"done", "failed"}:
            run = self.native.http.get(f"/api/v1/schedules/{self.schedule_id}/runs/{self.run_id}").json()
        assert run["state"] == "done", run

    def fill_account_export(self):
        """One that is ready: it has the account's metadata."""
        export = self.native.http.post("/api/v1/account-exports", json={}).json()
        self.account_export_id = export["id"]
        while export["state"] == "waiting":
            self.server.services.clock.advance(1)  # the job looks at its streams again after some seconds
            time.sleep(0.2)
            export = self.native.http.get(f"/api/v1/account-exports/{self.account_export_id}").json()

    def fill_slate(self):
        register = slate_services(self.server.services).register
        register.create_account(self.account, self.mark, self.mark)
        new = NewBusiness(self.mark, self.mark, self.mark, slate_account=self.mark, datasets={"catalog": self.mark})
        *_, catalog = register.create_business(self.account, new)[1]
        self.file_id = published(self.server, self.account.slug, catalog, "2026-11-01T00:00:00Z")
        path = f"/api/v1/slate/datasets/{self.mark}/publications"
        made = self.native.http.post(path).json()
        self.publication_id = made["id"]
        while made["state"] in {"waiting", "running"}:
            time.sleep(0.1)
            made = self.native.http.get(f"{path}/{self.publication_id}").json()
        assert made["state"] == "done", made

    def state(self):
        """All that is kept of the account, to be compared with later."""
        get = self.http.get
        answers = [
            get(path) for path in ("/v1/reports", "/v1/players", "/v1/medias", "/v1/users", "/admin/reports_api.php")
        ]
        assert [answer.status_code for answer in answers] == [200] * 5
        figures = [self.native.count(stream) for stream in ("playlogs", "players", "medias")]
        entries = self.server.services.intake.quarantine.entries(self.account)
        webhooks = [
            (each.id, each.url, each.enabled, each.former_secret_until)
            for each in self.server.services.webhooks.endpoints.listed(self.account)
        ]
        users = self.server.services.access.users.all(self.account)
        keys = [(key.id, key.revoked_at) for key in self.server.services.access.keys.all(self.account)]
        return [
            *(answer.text for answer in answers),
            figures,
            entries,
            get(f"/api/v1/streams/ad_groups/records/{self.mark}/versions").text,
            [(each["id"], each["name"], each["condition"]) for each in get("/api/v1/alarms").json()["items"]],
            webhooks,
            keys,
            users,
            self.server.services.access.sessions.get(self.session) is not None,
            get(f"/api/v1/erasures/{self.erasure_id}").text,
            get(f"/v1/ad_groups/{self.mark}/insights", headers=self.tapjoy).text,
            [get(path).text for path in ("/api/v1/schedules", f"/api/v1/schedules/{self.schedule_id}/runs")],
            [get(path).text for path in ("/api/v1/exports", f"/api/v1/exports/{self.export_id}/parts")],
            [
                get(f"/api/v1/slate/{name}").text
                for name in ("accounts", "businesses", f"datasets/{self.mark}/publications")
            ],
            [get(f"/apis/v2/accounts{below}", headers=self.slate_headers).text for below in self.slate_paths()],
        ]

    def slate_paths(self):
        """Of the catalogue's listings, from the top down."""
        mark = self.mark
        return [
            "",
            f"/{mark}",
            f"/{mark}/{mark}",
            f"/{mark}/{mark}/{mark}/datasets",
            f"/{mark}/{mark}/{mark}/datasets/{mark}",
        ]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = Settings(home=tmp_path_factory.mktemp("tenants"), rate_limits=False)
    server = LiveServer(settings, MovableClock(NOW_US)).start()
    server.app._guesses = Guesses(itertools.count(step=60.0).__next__)  # a minute apart: hundreds of them do not wait
    yield server
    server.stop()


@pytest.fixture(scope="module")
def first(server):
    tenant = Tenant(server).fill()
    yield tenant
    tenant.close()


@pytest.fixture(scope="module")
def other(server, first):
    tenant = Tenant(server)
    yield tenant
    tenant.close()


def test_every_route_is_known_here(server):
    assert routes_of(server) == set(ROUTES)


def test_the_first_account_sees_its_own(first):
    """Without this the tests below would prove nothing."""
    state = first.state()
    assert all(first.mark in text for text in state[1:4])
    assert str(first.report["id"]) in state[0]
    assert state[5] == [1, 1, 1]
    own = signed_attempts(first, first)
    assert all(first.mark in first.http.post("/stable/", data={"json": text}).text for text in own)
    assert len(state[6]) == 1
    assert all(first.mark in text for text in state[-2])
    [part] = json.loads(state[-3][1])["items"]
    assert first.mark in state[-3][0]
    assert first.mark in httpx.get(part["url"]).text
    assert first.mark in state[-4][0]
    assert json.loads(state[-4][1])["items"][0]["state"] == "done"
    assert json.loads(state[-5])["data"][first.mark]["metadata"]["name"] == first.mark
    assert all(first.mark in text for text in state[-1])
    assert httpx.get(json.loads(state[-1][-1])["data"][0]["downloadUrl"]).status_code == 200
    assert httpx.get(first.report["url"]).status_code == 200
    for path in (f"/v1/reports/{first.report['id']}", "/v1/players/7001", "/v1/medias/8001"):
        assert first.http.get(path).status_code == 200


def attempts(method, path, first, caller):  # noqa: PLR0911 (one for each kind of route)
    """Requests on a route that aim at the first account's things: (path, more)."""
    report = str(first.report["id"])
    items = {"/v1/reports/{item}": [report], "/v1/players/{item}": ["7001"], "/v1/medias/{item}": ["8001"]}
    items["/v1/ad_groups/{ad_group_id}/insights"] = [first.mark, first.mark.upper()]
    of_slate = slate_attempts(method, path, first)
    if path in items or of_slate:
        return of_slate or [(re.sub(r"\{\w+\}", item, path), {}) for item in items[path]]
    if path == "/{slug}/{name}":
        name = first.report["url"].split("/")[-1].partition("?")[0]
        return [(f"/{first.account.slug}/{name}", {}), (f"/{first.account.slug}/{name}?playlogs-reports=", {})]
    if path == "/v1/reports" and method == "POST":
        body = {"type": "detailed", "filter": {"startDate": "2026-10-01", "endDate": "2026-10-01", "players": [7001]}}
        return [(path, {"json": body})]
    if path == "/api/v1/query":
        columns = {"playlogs": "id", "players": "name", "medias": "name"}
        asked = [{"stream": stream, "filter": {column: first.mark}} for stream, column in columns.items()]
        asked += [{"stream": "playlogs", "filter": {"account": first.account.slug}}]
        asked += [{"stream": "playlogs", "dimensions": ["account", "id"]}]
        asked += [{"stream": "playlogs", "filter": {"or": [{"id": first.mark}, {"account": first.account.slug}]}}]
        asked += [{"stream": "viewer_samples", "filter": {"not": {"app": "x"}}, "metrics": ["count", "mean(viewers)"]}]
        if method == "POST":
            return [(path, {"json": each}) for each in asked]
        links = [{name: json.dumps(value) for name, value in each.items()} for each in asked]
        return [(path, {"params": link | {"stream": each["stream"]}}) for link, each in zip(links, asked, strict=True)]
    if path == "/api/v1/sql":
        texts = [f"SELECT * FROM {table}" for table in SQL_TABLES]
        texts += ["SELECT account FROM playlogs", "SELECT * FROM _0_rows_0_0", f"SELECT * FROM {first.mark}"]
        texts += [f"SELECT count(*) AS count FROM players WHERE name = '{first.mark}'"]
        return [(path, {"json": {"sql": text}}) for text in texts]
    if ROUTES[method, path] == "signed":
        return [(path, {"data": {"json": text}}) for text in signed_attempts(first, caller)]
    if path.endswith("/events"):
        body = [PLAY | {"id": "of another account"}]
        return [
            (path.replace("{stream}", "playlogs"), {"json": body, "headers": {"Idempotency-Key": first.mark}}),
            (
                path.replace("{stream}", "players"),
                {"json": [{"player_id": 7001, "is_deleted": 1, "last_update_time_utc": "2026-10-03T00:00:00Z"}]},
            ),
            (path.replace("{stream}", "playlogs"), {"json": [PLAY | {"account": first.account.slug}]}),
        ]
    if (method, path) in OPERATIONS:
        return operation_attempts(method, path, first)
    form = {"data": {"csrf_token": "x", "username": first.mark, "password": PASSWORD}} if method == "POST" else {}
    queries = ["", f"?account={first.account.slug}", f"?slug={first.account.slug}&account_id={first.account.id}"]
    return [(path + query, form) for query in queries]


def operation_attempts(method, path, first):
    """By the ids of the first account's things, with a body that is valid, and as an operator would name the account."""
    target = re.sub(r"\{(\w+)\}", lambda name: str(first.ids[name[1]]), path)
    body = {} if OPERATIONS[method, path].example is None else {"json": OPERATIONS[method, path].example}
    return [(target, dict(body)), (target, body | {"headers": {"Airtally-Account": first.account.slug}})]


def slate_attempts(method, path, first):
    """None for other paths."""
    if path == "/files/{file_id}":
        forged = "X-Amz-Date=20261102T091500Z&X-Amz-Expires=3600&X-Amz-Signature=" + "0" * 40
        return [(f"/files/{first.file_id}", {}), (f"/files/{first.file_id}?{forged}", {})]
    if path.startswith("/apis/v2/"):
        return [(re.sub(r"\{\w+\}", first.mark, path), {})]
    if path == "/auth/o2/token":
        form = {name: first.slate[name] for name in ("client_id", "refresh_token")} | {"grant_type": "refresh_token"}
        return [(path, {"data": form | {"client_secret": "guessed"}})]
    if method == "POST" and path.startswith("/api/v1/slate/") and "{" not in path:
        below = {"id": "of-another", "name": "Other", "slate_account": first.mark}
        return [(path, {"json": each}) for each in slate_bodies(path, below, first)]
    return None


def slate_bodies(path, below, first):
    """What another account may send to get at the first one's catalogue and clients."""
    if path.endswith("accounts"):
        return [{"name": "Other"}]
    if path.endswith("codes"):
        return [{"client_id": first.slate["client_id"], "redirect_uri": "https://a/"}]
    return [below | ({"group": first.mark} if path.endswith("businesses") else {})]


def signed_attempts(first, caller):
    """With the caller's key, and with the first account's key under the caller's secret."""
    for key, cdn in ((caller, caller), (caller, first), (first, first)):
        for app in (first.mark, 9001, [first.mark, 9001]):
            who = {"api_key": key.signing["api_key"], "cdn": cdn.signing["cdn"], "timestamp": NOW_US // 1_000_000}
            yield signed(request(**who, app=app, graph=2), secret=caller.signing["secret_key"]).decode()


@pytest.mark.parametrize(("method", "path"), sorted(ROUTES), ids=[f"{m} {p}" for m, p in sorted(ROUTES)])
def test_another_account_gets_nothing_and_changes_nothing(first, other, method, path):
    before = first.last_state or first.state()
    first.last_state = None
    for target, more in attempts(method, path, first, other):
        if ROUTES[method, path] == "tapjoy":
            more |= {"headers": other.tapjoy}
        if ROUTES[method, path] == "slate":
            more |= {"headers": other.slate_headers}
        answer = other.http.request(method, target, **more)
        asked_for = target + json.dumps(more)
        leaked = [word for word in (first.mark, first.token, first.native.token) if word in answer.text]
        if first.mark in leaked and answer.status_code >= 400 and first.mark in asked_for:
            leaked.remove(first.mark)  # told back what was asked for, as in the form of a failed log-in
        assert leaked == [], (target, answer.text)
        if path == "/api/v1/query":
            assert answer.status_code == 200, answer.text
            assert answer.json()["meta"]["rows_read"] == 0
            assert "filter" not in more.get("json", more.get("params")) or answer.json()["rows"][0]["count"] == 0
        if path == "/api/v1/sql" and first.mark in asked_for and answer.status_code == 200:
            assert answer.json()["rows"] == [{"count": 0}]
        if "{item}" in path or ROUTES[method, path] == "link":
            assert answer.status_code == (403 if "reports" in path or path == "/files/{file_id}" else 404)
        if "ad_groups" in path:
            assert (answer.status_code, answer.json()) == (403, {"error": "Unauthorized"})
        of_slate = method == "POST" or "{" in path  # listings have the caller's own, which is nothing
        if path.startswith("/apis/v2/accounts/") or (path.startswith("/api/v1/slate/") and of_slate):
            assert answer.status_code == 404 or path.endswith("/slate/accounts")
    after = first.state()
    assert after == before
    first.last_state = after


@pytest.fixture(scope="module")
def gone(server):
    """A tenant whose keys were revoked and whose session has ended."""
    tenant = Tenant(server)
    for key in server.services.access.keys.all(tenant.account):
        server.services.access.keys.revoke(key.id)
    server.services.access.sessions.end(tenant.session)
    yield tenant
    tenant.close()


@pytest.mark.parametrize(("method", "path"), sorted(each for each, kind in ROUTES.items() if kind != "open"))
def test_nobody_gets_anything(first, gone, server, method, path):
    """No key, a key of the wrong kind, a key that was revoked, a session that ended."""
    swapped = {"Secret-Token": first.native.token, "Authorization": f"Bearer {first.token}"}
    with httpx.Client(base_url=server.url, timeout=120) as nobody:
        for caller, headers in ((nobody, {}), (nobody, swapped), (gone.http, {})):
            for target, more in attempts(method, path, first, gone):
                answer = caller.request(method, target, **more | {"headers": headers | more.get("headers", {})})
                if ROUTES[method, path] == "session":
                    assert answer.status_code in {302, 303}
                    assert answer.headers["location"].startswith("/login")
                elif ROUTES[method, path] == "signed":
                    assert answer.json()["code"] in {"0001", "0003"}, answer.text
                else:
                    refused = (403 if path == "/files/{file_id}" else 404) if ROUTES[method, path] == "link" else 401
                    assert answer.status_code == refused, answer.text
                assert first.mark not in answer.text or first.mark in target


def test_what_another_account_sends_is_its_own(first, other):
    """The same ids, keys and idempotency keys in two accounts never meet."""
    before = first.state()
    other.native.send("playlogs", [PLAY | {"id": first.mark, "media_id": 9}], **{"Idempotency-Key": first.mark})
    other.native.send("medias", [{"media_id": 8001, "name": "other's", "last_update_time_utc": "2026-10-05T00:00:00Z"}])
    assert other.http.get("/v1/medias/8001").json()["name"] == "other's"
    assert first.state() == before
    for stream in ("applications", "catalog"):
        assert first.account.slug not in other.native.ask(stream=stream).text


def test_an_application_belongs_to_one_account(first, other):
    first.last_state = None
    assert first.native.send("applications", [{"application": "TAKEN"}]).json()["accepted"] == 1
    for stream, row in (
        ("applications", {"application": "TAKEN"}),
        ("app_events", {"application": "TAKEN", "event": "open", "time": VERSION}),
    ):
        answer = other.native.send(stream, [row]).json()
        assert answer["accepted"] == 0
        assert first.mark not in json.dumps(answer)


def test_statistics_are_an_accounts_own(first, other):
    """By another account's token its ids, applications, events and tags are as unknown as any."""
    first.last_state = None
    day = {"date_from": "2026-10-01", "date_to": "2026-10-01"}
    event = {"application": "STATS", "event": first.mark}
    first.native.send("applications", [{"application": "STATS"}])
    first.native.send("app_events", [event | {"time": VERSION}])
    first.native.send("device_tags", [{"hwid": first.mark, "tag": first.mark, "value": first.mark}])
    services = first.server.services
    tokens = [services.access.keys.create(each.account, "pushwoosh").credentials["auth"] for each in (first, other)]

    def call(number, method, **request):
        body = {"request": {"auth": tokens[number]} | request}
        answer = httpx.post(f"{first.server.url}/json/1.3/{method}", json=body).json()
        return answer["status_message"], answer["response"]

    asked = [call(0, "getEventStatistics", **event | day), call(0, "getTagStats", tag=first.mark)]
    assert [message for message, _ in asked] == ["OK", "OK"]
    for _, response in asked:
        assert call(0, "getResults", **response)[0] == "OK"
        assert call(1, "getResults", **response) == ("Request not found", None)
    assert call(1, "getEventStatistics", **event | day) == ("Application not found", None)
    assert call(1, "getTagStats", tag=first.mark) == ("Tag not found", None)
    assert call(1, "createEvent", application="STATS", name="Mine") == ("Application not found", None)


def test_an_ad_group_belongs_to_one_account_in_any_case(first, other):
    """Rows about another's are kept with the account that sent them, and never show."""
    before = first.state()
    for group in (first.mark, first.mark.upper()):
        declared = other.native.send("ad_groups", [{"ad_group_id": group, "name": "mine", "platform": "iOS"}]).json()
        assert (declared["accepted"], declared["errors"][0]["error"]) == (0, "belongs to another account")
        event = {"ad_group_id": group, "time": "2026-11-02T09:00:00Z", "kind": "paid_click"}
        assert other.native.send("ad_events", [event]).json()["accepted"] == 1
    assert first.state() == before
