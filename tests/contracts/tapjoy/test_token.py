"""Tokens, and what may stand in the header: docs/vendors/tapjoy.md#2."""

from __future__ import annotations

import base64

import pytest

from fixtures.insights import K1, Advertiser, raw

UNAUTHORIZED = '{"error":"Unauthorized"}'
JSON = "application/json; charset=utf-8"


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def asked(network: Advertiser, authorization: str) -> tuple[int, str]:
    """The header goes as it is: client libraries refuse some of them."""
    head = b"POST /v1/oauth2/token HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\nContent-Length: 0\r\n\r\n"
    status, _, body = raw(network.server, head % authorization.encode())
    return status, body.decode()


def test_row_01_the_key_as_it_is(network: Advertiser) -> None:
    answer = network.ask_token(f"Basic {K1}")
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == ["access_token", "token_type", "expires_in", "refresh_token"]
    assert (body["token_type"], body["expires_in"], body["refresh_token"]) == ("bearer", 3600, None)
    assert isinstance(body["expires_in"], int)
    assert len(body["access_token"]) == 88
    assert len(base64.b64decode(body["access_token"], validate=True)) == 64
    assert answer.headers["content-type"] == JSON
    assert answer.headers["cache-control"] == "no-store"


def test_row_02_the_key_in_base64(network: Advertiser) -> None:
    assert network.ask_token(basic(K1)).status_code == 200


@pytest.mark.parametrize("authorization", [None, "Basic nope", f"Bearer {K1}"])
def test_row_03_no_key(network: Advertiser, authorization: str | None) -> None:
    answer = network.ask_token(authorization)
    assert (answer.status_code, answer.text) == (401, UNAUTHORIZED)
    assert answer.headers["content-type"] == JSON
    assert "www-authenticate" in answer.headers


def test_row_04_an_empty_chunked_body_that_waits_for_100_continue(network: Advertiser) -> None:
    head = (
        "POST /v1/oauth2/token HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Basic {K1}\r\nAccept: application/json; */*\r\n"
        "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    )
    status, headers, body = raw(network.server, head.encode() + b"0\r\n\r\n")
    assert status == 200, body
    assert headers["content-type"] == JSON


def test_row_05_neither_length_nor_body_and_the_vendors_host(network: Advertiser) -> None:
    head = f"POST /v1/oauth2/token HTTP/1.1\r\nhost: api.tapjoy.com\r\nauthorization:Basic {K1}\r\n\r\n"
    status, headers, body = raw(network.server, head.encode())
    assert status == 200, body
    assert "location" not in headers


def test_row_06_an_older_token_still_works(network: Advertiser) -> None:
    older, newer = network.new_token(), network.new_token()
    assert older != newer
    for token in (older, newer, older):
        assert network.get(token=token).status_code == 200


def test_row_07_insights_without_a_live_token(network: Advertiser) -> None:
    path = "/v1/ad_groups/A1/insights"
    refused = [
        network.http.get(path),
        network.get(token=network.old_token),
        network.http.get(path, headers={"Authorization": f"Basic {K1}"}),
        network.http.get(f"{path}?access_token={network.token.replace('+', '%2B')}"),
        network.http.get(path, headers={"Authorization": "Bearer"}),
        network.http.get(path, headers={"Authorization": f"Bearer {K1}"}),
        network.http.get(path, headers={"Authorization": network.token}),
    ]
    assert [(answer.status_code, answer.text) for answer in refused] == [(401, UNAUTHORIZED)] * len(refused)


@pytest.mark.parametrize(
    "authorization",
    [f"basic {K1}", f"BASIC   {K1}", f"Basic {K1}  ", basic(f"{K1}:"), basic(K1).rstrip("=")],
)
def test_other_spellings_of_the_header(network: Advertiser, authorization: str) -> None:
    assert asked(network, authorization)[0] == 200


@pytest.mark.parametrize(
    "authorization",
    [
        *("", "Basic", "Basic ", f"Basic{K1}", f"Basic {K1}:", f"Basic :{K1}", f"Digest {K1}", f"Basic {K1.upper()}"),
        *(basic(f"{K1}::"), basic("other"), "Basic ====", "Basic A", "Basic " + "A" * 5000, "Basic é\N{PILE OF POO}"),
    ],
)
def test_what_is_no_key(network: Advertiser, authorization: str) -> None:
    assert asked(network, authorization) == (401, UNAUTHORIZED)


@pytest.mark.parametrize(
    "more",
    [
        {"json": {"grant_type": "password"}},
        {"data": {"grant_type": "client_credentials"}},
        {"content": b"{not json", "headers": {"Content-Type": "application/json"}},
        {"content": b"x" * 100_000, "headers": {"Content-Type": "multipart/form-data"}},
        {"headers": {"Accept": "text/html", "Content-Type": "%%%"}},
    ],
)
def test_body_type_and_query_are_ignored(network: Advertiser, more: dict) -> None:
    headers = {"Authorization": f"Basic {K1}"} | more.pop("headers", {})
    answer = network.http.post("/v1/oauth2/token?grant_type=x&access_token=1", headers=headers, **more)
    assert answer.status_code == 200, answer.text


def test_a_key_as_the_server_makes_them(network: Advertiser) -> None:
    """Base64 already: it is taken as it is, not for the Base64 of a key."""
    key = network.server.services.access.keys.create(network.account, "tapjoy").credentials["reporting_api_key"]
    assert len(key) == 168
    assert network.ask_token(f"Basic {key}").status_code == 200
    assert network.ask_token(basic(key)).status_code == 200
    assert network.ask_token(basic(f"{key}:")).status_code == 200


def test_a_revoked_key_takes_its_tokens_along(network: Advertiser) -> None:
    keys = network.server.services.access.keys
    made = keys.create(network.account, "tapjoy")
    authorization = f"Basic {made.credentials['reporting_api_key']}"
    token = network.ask_token(authorization).json()["access_token"]
    assert network.get(token=token).status_code == 200
    keys.revoke(made.id)
    assert network.ask_token(authorization).status_code == 401
    assert network.get(token=token).status_code == 401
