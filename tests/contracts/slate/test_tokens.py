"""Access tokens, and how a client comes by them: docs/vendors/slate.md#2, #3."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from airtally.kit.clock import MovableClock
from airtally.kit.errors import StorageFull, Unavailable
from airtally.kit.faults import Faults
from fixtures.opened import Opened
from fixtures.slate import ACCOUNTS, BACK, Partner

UNAUTHORIZED = {"code": "UnauthorizedException", "message": "Access token is missing, invalid or expired."}
BAD_CODE = "The request has an invalid grant parameter : code"
BAD_REFRESH = (
    "The request has an invalid grant parameter : refresh_token. User may have revoked or didn't grant the permission."
)


def traded(partner: Partner, code: str | None = None, back: str = BACK) -> httpx.Response:
    return partner.token(grant_type="authorization_code", code=code or partner.code(), redirect_uri=back)


def renewed(partner: Partner, **more: str) -> httpx.Response:
    return partner.token(
        **{"grant_type": "refresh_token", "refresh_token": partner.credentials["refresh_token"]} | more
    )


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert set(body) == {"error", "error_description"}
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    return answer.status_code, body["error"], body["error_description"]


def assert_unauthorized(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


def test_row_01_no_authorization(partner: Partner) -> None:
    with partner.client(None) as http:
        assert_unauthorized(http.get(ACCOUNTS))


def test_row_02_a_token_of_nonsense(partner: Partner) -> None:
    with partner.client("Atza|nonsense") as http:
        assert_unauthorized(http.get(ACCOUNTS))


def test_row_03_a_token_after_its_hour(own_partner: Callable[..., Partner], slate_clock: MovableClock) -> None:
    partner = own_partner()
    slate_clock.advance(3599)
    assert partner.get(ACCOUNTS).status_code == 200
    slate_clock.advance(2)
    assert_unauthorized(partner.get(ACCOUNTS))
    with partner.client(renewed(partner).json()["access_token"]) as http:
        assert http.get(ACCOUNTS).status_code == 200


def test_row_04_a_fresh_code(partner: Partner) -> None:
    answer = traded(partner)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (set(body), body["token_type"], body["expires_in"]) == (
        {"access_token", "refresh_token", "token_type", "expires_in"},
        "bearer",
        3600,
    )
    assert body["access_token"].startswith("Atza|")
    assert 350 <= len(body["access_token"]) <= 2048
    assert body["refresh_token"].startswith("Atzr|")
    assert len(body["refresh_token"]) <= 2048
    with partner.client(body["access_token"]) as http:
        assert http.get(ACCOUNTS).json()["total"] == 3
    assert renewed(partner, refresh_token=body["refresh_token"]).status_code == 200


def test_row_05_the_same_code_again(partner: Partner) -> None:
    code = partner.code()
    assert traded(partner, code).status_code == 200
    assert refusal(traded(partner, code)) == (400, "invalid_grant", BAD_CODE)


def test_row_06_a_refresh_token(partner: Partner) -> None:
    body = renewed(partner).json()
    assert body["access_token"] != partner.credentials["access_token"]
    assert body["refresh_token"] == partner.credentials["refresh_token"]
    assert (body["token_type"], body["expires_in"]) == ("bearer", 3600)


def test_row_07_the_old_refresh_token_goes_on_working(partner: Partner) -> None:
    first, second = renewed(partner), renewed(partner)
    assert second.status_code == 200
    assert first.json()["access_token"] != second.json()["access_token"]
    for token in (partner.credentials["access_token"], first.json()["access_token"]):
        with partner.client(token) as http:
            assert http.get(ACCOUNTS).status_code == 200


def test_row_08_more_fields_than_needed(partner: Partner) -> None:
    assert renewed(partner, redirect_uri=BACK, code="ANspent", scope="x").status_code == 200


@pytest.mark.parametrize("field", ["client_secret", "client_id"])
def test_row_09_a_wrong_secret(partner: Partner, field: str) -> None:
    for ask in (renewed(partner, **{field: "wrong"}), partner.token(**code_form(partner) | {field: "wrong"})):
        assert refusal(ask) == (401, "invalid_client", "Client authentication failed")


def code_form(partner: Partner) -> dict[str, str]:
    return {"grant_type": "authorization_code", "code": partner.code(), "redirect_uri": BACK}


def test_row_10_no_refresh_token(partner: Partner) -> None:
    missing = "The request is missing a required parameter : refresh_token"
    assert refusal(partner.token(grant_type="refresh_token")) == (400, "invalid_request", missing)


def test_row_11_another_grant_type(partner: Partner) -> None:
    assert refusal(partner.token(grant_type="password")) == (
        400,
        "unsupported_grant_type",
        "The authorization grant type is not supported by the authorization server",
    )


@pytest.mark.parametrize("field", ["grant_type", "code", "client_id", "client_secret", "redirect_uri"])
def test_each_required_field_is_missed_by_its_name(partner: Partner, field: str) -> None:
    missing = (400, "invalid_request", f"The request is missing a required parameter : {field}")
    assert refusal(partner.token(**code_form(partner) | {field: ""})) == missing


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b'{"grant_type": "refresh_token"}', "application/json"),
        (b"just words", "application/x-www-form-urlencoded"),
        (b"grant_type=%ff%fe", "application/x-www-form-urlencoded"),
        (b"grant_type=\xc3\xa9", "application/x-www-form-urlencoded"),
        (b"a=" + b"b" * 70_000, "application/x-www-form-urlencoded"),
        (b"&".join(b"a=b" for _ in range(200)), "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_no_form(partner: Partner, body: bytes, media_type: str) -> None:
    answer = httpx.post(f"{partner.server.url}/auth/o2/token", content=body, headers={"Content-Type": media_type})
    assert refusal(answer) == (400, "invalid_request", "Malformed request")


def test_an_empty_body(partner: Partner) -> None:
    answer = httpx.post(f"{partner.server.url}/auth/o2/token")
    assert refusal(answer)[2] == "The request is missing a required parameter : grant_type"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_tokens_are_asked_for_by_post(partner: Partner, method: str) -> None:
    answer = httpx.request(method, f"{partner.server.url}/auth/o2/token")
    assert refusal(answer)[:2] == (405, "invalid_request")
    assert answer.headers["allow"] == "POST"


def test_a_code_after_five_minutes(own_partner: Callable[..., Partner], slate_clock: MovableClock) -> None:
    partner = own_partner()
    early, late = partner.code(), partner.code()
    slate_clock.advance(299)
    assert traded(partner, early).status_code == 200
    slate_clock.advance(1)
    assert refusal(traded(partner, late)) == (400, "invalid_grant", BAD_CODE)


def test_a_code_for_another_way_back(partner: Partner) -> None:
    code = partner.code()
    assert refusal(traded(partner, code, BACK + "/")) == (
        400,
        "invalid_grant",
        BAD_CODE.replace("code", "redirect_uri"),
    )
    assert traded(partner, code).status_code == 200


def test_what_is_another_clients(partner: Partner, opened: Opened) -> None:
    another = opened(Partner(partner.server))
    assert refusal(traded(partner, another.code())) == (400, "invalid_grant", BAD_CODE)
    theirs = another.credentials["refresh_token"]
    assert refusal(renewed(partner, refresh_token=theirs)) == (400, "invalid_grant", BAD_REFRESH)


def test_a_revoked_key_takes_its_tokens_along(partner: Partner) -> None:
    services = partner.server.services
    token = renewed(partner).json()["access_token"]
    [key] = services.access.keys.all(partner.account)
    services.access.keys.revoke(key.id)
    with partner.client(token) as http:
        assert_unauthorized(http.get(ACCOUNTS))
    assert refusal(renewed(partner)) == (401, "invalid_client", "Client authentication failed")


def test_a_static_token_goes_on_for_months(own_partner: Callable[..., Partner], slate_clock: MovableClock) -> None:
    partner = own_partner(static=True)
    slate_clock.advance(400 * 86_400)
    assert partner.get(ACCOUNTS).status_code == 200
    slate_clock.advance(3601)
    assert renewed(partner).json()["expires_in"] == 3600


@pytest.mark.parametrize(
    ("scheme", "status"),
    [("bearer ", 200), ("BEARER   ", 200), ("Basic ", 401), ("", 401), ("Bearer", 401)],
)
def test_the_scheme(partner: Partner, scheme: str, status: int) -> None:
    headers = {"Authorization": scheme + partner.credentials["access_token"]}
    assert httpx.get(partner.server.url + ACCOUNTS, headers=headers).status_code == status


def test_tokens_are_not_each_others(partner: Partner) -> None:
    native = partner.server.services.access.keys
    from airtally.accounts.keys import KeyOptions

    key = native.create(partner.account, "native", KeyOptions(scopes=frozenset({"read"}))).credentials["token"]
    for token in (key, partner.credentials["refresh_token"], partner.credentials["client_secret"]):
        with partner.client(token) as http:
            assert_unauthorized(http.get(ACCOUNTS))


@pytest.mark.parametrize("failure", [StorageFull("no room"), Unavailable("away")])
def test_a_store_without_room_spends_no_code(own_partner: Callable[..., Partner], failure: Exception) -> None:
    class Disk(Faults):
        full = False

        def reach(self, point: str) -> None:
            if self.full and point == "metadata.write":
                raise failure

    disk = Disk()
    partner = own_partner(faults=disk)
    code = partner.code()
    disk.full = True
    answer = traded(partner, code)
    assert refusal(answer)[:2] == (503, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    disk.full = False
    assert traded(partner, code).status_code == 200


def test_a_clients_access_token_is_kept_alone(own_partner: Callable[..., Partner], slate_clock: MovableClock) -> None:
    """As the page's script has it: a constant of 15 characters, which nothing renews, so it does not expire."""
    partner = own_partner()
    partner.server.services.access.keys.create(partner.account, "slate", imported={"access_token": "Atza|auth_token"})
    slate_clock.advance(400 * 86_400)
    with partner.client("Atza|auth_token") as http:
        assert http.get(ACCOUNTS).json()["total"] == 3
