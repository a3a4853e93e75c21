"""Accounts, groups, businesses, datasets, and their pages: docs/vendors/slate.md#1, #4."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from airtally.accounts.keys import KeyOptions
from airtally.kit.errors import Unavailable
from airtally.kit.faults import Faults
from airtally.vendors.slate.entries import NewBusiness
from airtally.vendors.slate.services import slate_services
from fixtures.opened import Opened
from fixtures.slate import ACCOUNTS, BUSINESS, D, Partner, tail

THREE = [
    {"id": "123456", "name": "Northwind Pictures"},
    {"id": "123777", "name": "Northwind"},
    {"id": "123999", "name": "Northwind Kids"},
]


def error(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"code", "message"}
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    return answer.status_code, body["code"]


def test_row_12_accounts(partner: Partner) -> None:
    answer = partner.get(ACCOUNTS)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json() == {"total": 3, "next": None, "data": THREE}


def test_row_13_a_page(partner: Partner) -> None:
    page = partner.listing(f"{ACCOUNTS}?limit=2")
    assert page["data"] == THREE[:2]
    assert page["next"] == f"{partner.server.url}{ACCOUNTS}?offset=1&limit=2"


def test_row_14_the_next_page(partner: Partner) -> None:
    following = partner.listing(f"{ACCOUNTS}?limit=2")["next"]
    assert partner.listing(following) == {"total": 3, "next": None, "data": THREE[2:]}


def test_row_15_a_page_past_the_end(partner: Partner) -> None:
    assert partner.listing(f"{ACCOUNTS}?limit=2&offset=9") == {"total": 3, "next": None, "data": []}


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=x", "offset=-1", "limit=-5", "limit=1.5", "limit=", "offset=", "offset=x", "limit=%EF%BC%91"],
)
def test_row_16_numbers_that_are_none(partner: Partner, query: str) -> None:
    assert error(partner.get(f"{ACCOUNTS}?{query}")) == (400, "InvalidParameterException")
    assert error(partner.get(f"{D}?{query}")) == (400, "InvalidParameterException")


@pytest.fixture
def by_item(own_partner: Callable[..., Partner]) -> Partner:
    return own_partner(slate_offset_mode="item")


def test_row_17_an_offset_of_items(by_item: Partner) -> None:
    page = by_item.listing(f"{ACCOUNTS}?limit=2")
    assert tail(page["next"]) == "offset=2&limit=2"
    assert by_item.listing(page["next"]) == {"total": 3, "next": None, "data": THREE[2:]}
    assert by_item.listing(f"{ACCOUNTS}?offset=1&limit=1")["data"] == THREE[1:2]


def test_row_18_groups(partner: Partner) -> None:
    expected = {"total": 1, "next": None, "data": [{"id": "7890", "name": "Channels"}]}
    assert partner.listing(f"{ACCOUNTS}/123456") == expected
    assert partner.listing(f"{ACCOUNTS}/123999") == {"total": 0, "next": None, "data": []}


@pytest.mark.parametrize(
    "path",
    [
        "000000",
        "000000/7890",
        "123456/0",
        "123999/7890",
        "123456/7890/nobody/datasets",
        "123456/0/abc123/datasets",
        "123456/7890/abc123/datasets/data000",
        "123999/7890/abc123/datasets/data987",
        "123456/7890/abc123",
        "123456/7890/abc123/files",
        "123456/7890/abc123/datasets/data987/more",
        "%00",
        "..%2f123456",
    ],
)
def test_row_19_what_is_not_there(partner: Partner, path: str) -> None:
    assert error(partner.get(f"{ACCOUNTS}/{path}")) == (404, "ResourceNotFoundException")


def test_row_20_businesses(partner: Partner) -> None:
    services = partner.server.services
    slate_services(services).register.create_business(
        partner.account, NewBusiness("7890", "aaa", "Anywhere", slate_account="123456")
    )
    assert partner.listing(f"{ACCOUNTS}/123456/7890")["data"] == [
        {"id": "aaa", "name": "Anywhere"},
        {"id": "abc123", "name": "Northwind Max", "territory": "US"},
    ]


def test_row_21_datasets(partner: Partner) -> None:
    assert partner.listing(f"{BUSINESS}/datasets") == {
        "total": 3,
        "next": None,
        "data": [
            {"id": "data985", "name": "Catalog"},
            {"id": "data986", "name": "Playback"},
            {"id": "data987", "name": "Subscription"},
        ],
    }


class Away(Faults):
    """The metadata store does not answer while `away`."""

    def __init__(self) -> None:
        self.away = False

    def reach(self, point: str) -> None:
        if self.away and point == "metadata.read":
            raise Unavailable("The metadata store does not answer")


def test_row_40_a_503_then_the_same_page(own_partner: Callable[..., Partner]) -> None:
    faults = Away()
    partner = own_partner(faults=faults)
    partner.file("2026-11-22T08:00:00Z")
    before = partner.listing(D)
    faults.away = True
    answer = partner.get(D)
    assert error(answer) == (503, "ServiceUnavailableException")
    assert int(answer.headers["retry-after"]) > 0
    faults.away = False
    assert partner.listing(D) == before


def test_what_another_partner_has_is_not_there(partner: Partner, opened: Opened) -> None:
    other = opened(Partner(partner.server))
    services = partner.server.services
    slate_services(services).register.create_account(partner.account, "Mine alone", "999")
    slate_services(services).register.create_business(
        partner.account, NewBusiness("g", "mine", "Mine", slate_account="123456")
    )
    assert other.listing(ACCOUNTS)["data"] == THREE
    for path in ("999", "123456/g", "123456/g/mine/datasets"):
        assert error(other.get(f"{ACCOUNTS}/{path}")) == (404, "ResourceNotFoundException")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", [ACCOUNTS, f"{BUSINESS}/datasets", D])
def test_other_methods(partner: Partner, method: str, path: str) -> None:
    answer = partner.http.request(method, path)
    assert error(answer) == (405, "MethodNotAllowedException")
    assert answer.headers["allow"] == "GET"


def test_the_headers_alone_are_another_method(partner: Partner) -> None:
    assert partner.http.head(ACCOUNTS).status_code == 405


@pytest.mark.parametrize(("host", "key"), [("page", "item"), ("item", "page")])
def test_the_offset_of_a_key_of_its_own(own_partner: Callable[..., Partner], host: str, key: str) -> None:
    """Of two clients of one host, each written for one reading; without a mode the host's counts."""
    partner = own_partner(slate_offset_mode=host)
    made = partner.server.services.access.keys.create(
        partner.account, "slate", KeyOptions(static=True, offset_mode=key)
    )
    with partner.client(made.credentials["access_token"]) as http:
        for client, mode in ((http, key), (partner.http, host)):
            page = client.get(f"{ACCOUNTS}?limit=2").json()
            assert page["next"].endswith("offset=2&limit=2" if mode == "item" else "offset=1&limit=2")
            assert client.get(page["next"]).json() == {"total": 3, "next": None, "data": THREE[2:]}


@pytest.mark.parametrize("mode", ["page", "item"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 24, 25, 26])
def test_followers_get_each_item_once(own_partner: Callable[..., Partner], mode: str, limit: int) -> None:
    partner = own_partner(slate_offset_mode=mode)
    for number in range(22):
        slate_services(partner.server.services).register.create_account(partner.account, "N", f"{number:03}")
    found = [each["id"] for each in partner.pages(f"{ACCOUNTS}?limit={limit}")]
    assert found == sorted(found)
    assert len(set(found)) == len(found) == 25


def test_a_client_that_counts_items_itself(by_item: Partner) -> None:
    """It adds the limit to the offset and tests only whether there is a next."""
    for number in range(22):
        slate_services(by_item.server.services).register.create_account(by_item.account, "N", f"{number:03}")
    found: list[str] = []
    offset = 0
    while True:
        page = by_item.listing(f"{ACCOUNTS}?offset={offset}&limit=10")
        found += [each["id"] for each in page["data"]]
        if not page["next"]:
            break
        offset += 10
    assert len(set(found)) == len(found) == 25


@pytest.mark.parametrize("limit", ["1000", "1001", "5000", "9" * 400])
def test_a_limit_above_the_largest(partner: Partner, limit: str) -> None:
    assert partner.listing(f"{ACCOUNTS}?limit={limit}")["total"] == 3


def test_an_offset_beyond_everything(partner: Partner) -> None:
    assert partner.listing(f"{ACCOUNTS}?limit=1000&offset={'9' * 400}")["data"] == []


def test_what_clients_send_besides(partner: Partner) -> None:
    answer = partner.http.request(
        "GET", f"{ACCOUNTS}/?colour=red", headers={"Content-Type": "application/json"}, content=b"not json"
    )
    assert answer.json()["data"] == THREE
    page: dict[str, Any] = partner.listing(f"{ACCOUNTS}/?colour=red&limit=1")
    assert page["next"] == f"{partner.server.url}{ACCOUNTS}?offset=1&limit=1"


def test_next_is_below_the_public_url(own_partner: Callable[..., Partner]) -> None:
    partner = own_partner(public_url="https://slate.example/")
    partner.file("2026-11-22T08:00:00Z")
    assert partner.listing(f"{ACCOUNTS}?limit=1")["next"].startswith("https://slate.example/apis/v2/accounts?")
    assert partner.listing(D)["data"][0]["downloadUrl"].startswith("https://slate.example/files/data987-")


def test_unknown_paths_of_the_api(partner: Partner) -> None:
    for path in ("/apis/v2", "/apis/v2/", "/apis/v2/users"):
        assert error(partner.get(path)) == (404, "ResourceNotFoundException")
