"""The catalogue and authorization codes, made over HTTP."""

import httpx
import pytest


@pytest.fixture
def client(api_server, join):
    return join(api_server, scopes=("admin",))


@pytest.fixture
def made(client):
    def post(what, status=201, **body):
        answer = client.http.post(f"/api/v1/slate/{what}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    return post


def test_a_catalogue(client, made):
    assert made("accounts", id="123456", name="Northwind") == {"id": "123456", "name": "Northwind"}
    assert made("groups", id="7890", name="Channels") == {"slate_account": "123456", "id": "7890", "name": "Channels"}
    business = made("businesses", group="7890", id="abc123", name="Max", datasets={"subscription": "data987"})
    assert business["datasets"]["subscription"] == "data987"
    assert set(business["datasets"]) == {"subscription", "playback", "catalog"}
    assert (business["format"], business["slate_account"], business["territory"]) == ("csv", "123456", None)
    row = {"business_id": "abc123", "id": "t1"}
    assert client.send("catalog", [row]).json()["accepted"] == 1


def test_a_code(api_server, client, made):
    key = api_server.services.access.keys.create(client.account, "slate").credentials
    back = "https://app.example/back"
    code = made("codes", client_id=key["client_id"], redirect_uri=back)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
    form |= {name: key[name] for name in ("client_id", "client_secret")}
    assert httpx.post(f"{api_server.url}/auth/o2/token", data=form).status_code == 200


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("accounts", {"id": "1"}, 422),
        ("accounts", {"id": "a/b", "name": "N"}, 400),
        ("accounts", {"name": "N", "colour": "red"}, 422),
        ("groups", {"id": "g", "slate_account": "9"}, 404),
        ("groups", {"id": 5}, 422),
        ("businesses", {"group": "g", "id": "b", "name": "B", "format": "xlsx"}, 400),
        ("businesses", {"group": "g", "id": "b", "name": "B", "datasets": {"x": "1"}}, 400),
        ("codes", {"client_id": "nobody", "redirect_uri": "https://a/"}, 404),
        ("codes", {"client_id": "nobody", "redirect_uri": "a"}, 400),
    ],
)
def test_what_cannot_be_made(made, what, body, status):
    problem = made(what, status, **body)
    assert problem["status"] == status
    assert problem["detail"]


def test_the_same_again(made):
    made("accounts", id="1", name="N")
    assert made("accounts", 409, id="1", name="N")["code"] == "conflict"


def test_a_body_that_is_no_json(client):
    for body in (b"", b"{", b"\xff", b"[" * 100_000):
        assert client.http.post("/api/v1/slate/accounts", content=body).status_code == 400


@pytest.mark.parametrize("what", ["accounts", "groups", "businesses", "codes"])
def test_who_may(api_server, join, what):
    reader = join(api_server, scopes=("read",))
    assert reader.http.post(f"/api/v1/slate/{what}", json={}).status_code == 403
    assert httpx.post(f"{api_server.url}/api/v1/slate/{what}", json={}).status_code == 401
    assert reader.http.put(f"/api/v1/slate/{what}", json={}).status_code == 405


def test_two_accounts_do_not_meet(api_server, join):
    first, second = (join(api_server, scopes=("admin",)) for _ in range(2))
    body = {"group": "g", "id": "b", "name": "B", "datasets": {"catalog": "d"}}
    for each in (first, second):
        assert each.http.post("/api/v1/slate/businesses", json=body).status_code == 201
    services = api_server.services
    key = services.access.keys.create(first.account, "slate").credentials["client_id"]
    asked = {"client_id": key, "redirect_uri": "https://a/"}
    assert second.http.post("/api/v1/slate/codes", json=asked).status_code == 404
