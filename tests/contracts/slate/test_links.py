"""Downloads: by the link alone, for its time, whole or in part."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree as ET

import httpx
import pytest

from airtally.kit.clock import MovableClock
from airtally.kit.errors import Unavailable
from airtally.kit.faults import Faults
from fixtures.http import check_head
from fixtures.opened import Opened
from fixtures.slate import D, Partner

CONTENT = b"id,title\n" + b"".join(b"%d,Title\n" % number for number in range(1000))
STAMP = "2026-11-22T08:00:00Z"


def url_of(partner: Partner) -> str:
    return str(partner.listing(D)["data"][-1]["downloadUrl"])


@pytest.fixture
def url(partner: Partner) -> str:
    partner.file(STAMP, CONTENT)
    return url_of(partner)


def refusal(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    assert answer.headers["content-type"] == "application/xml"
    root = ET.fromstring(answer.text)
    assert root.tag == "Error"
    return answer.status_code, root.findtext("Code"), root.findtext("Message")


DENIED = (403, "AccessDenied", "Request has expired")
NO_KEY = (404, "NoSuchKey", "The specified key does not exist.")


def test_with_and_without_a_token(partner: Partner, url: str) -> None:
    for answer in (httpx.get(url), partner.get(url), httpx.get(url, headers={"Authorization": "Bearer nonsense"})):
        assert (answer.status_code, answer.content) == (200, CONTENT)
        assert answer.headers["content-type"] == "text/csv"
        assert answer.headers["content-length"] == str(len(CONTENT))
        assert "content-encoding" not in answer.headers
        assert answer.headers["airtally-rows"] == "1000"
        assert answer.headers["airtally-generated-at"] == "2026-11-22T08:00:00.000000Z"


def test_a_head_of_a_file(url: str) -> None:
    with httpx.Client() as anyone:
        assert check_head(anyone, url)["content-length"] == str(len(CONTENT))
        check_head(anyone, url, status=206, Range="bytes=3-9")
        check_head(anyone, url[:-1], status=403)


def test_the_links_life(own_partner: Callable[..., Partner], slate_clock: MovableClock) -> None:
    partner = own_partner(static=True)
    partner.file(STAMP, CONTENT)
    slate_clock.advance(0.9)
    url = url_of(partner)
    slate_clock.advance(3600)
    assert httpx.get(url).content == CONTENT
    slate_clock.advance(1)
    assert refusal(httpx.get(url)) == DENIED
    fresh = url_of(partner)
    assert fresh != url
    assert httpx.get(fresh).content == CONTENT


def test_a_longer_life(own_partner: Callable[..., Partner], slate_clock: MovableClock) -> None:
    partner = own_partner(slate_link_seconds=86_400.0)
    partner.file(STAMP, CONTENT)
    [item] = partner.listing(D)["data"]
    assert item["expirationDate"] == "2026-11-23T10:00:00.000Z"
    slate_clock.advance(86_400)
    assert httpx.get(item["downloadUrl"]).status_code == 200
    slate_clock.advance(1)
    assert refusal(httpx.get(item["downloadUrl"])) == DENIED


def test_links_tampered_with(partner: Partner, url: str) -> None:
    partner.file("2026-11-22T04:00:00Z", b"id\n")
    signature = url[-40:]
    other = str(partner.listing(D)["data"][0]["downloadUrl"])[-40:]
    first = "0" if signature[0] != "0" else "1"
    wrong = [
        url.partition("?")[0],
        url.replace("=3600", "=9999"),
        url.replace("=3600", "="),
        url.replace("=3600", "=%D9%A3600"),
        url.replace("T100000Z", "T110000Z"),
        url.replace("20261122T100000Z", "soon"),
        url[:-1],
        url + "0",
        url[:-40],
        url[:-40] + first + signature[1:],
        url[:-40] + other,
        url[:-40] + "%FF" * 20,
        re.sub("T080000Z", "T040000Z", url, count=1),
    ]
    for each in wrong:
        assert refusal(httpx.get(each)) == DENIED, each
    assert httpx.get(url + "&more=1").status_code == 200


def test_a_file_that_nobody_has(partner: Partner, url: str) -> None:
    for name in ("data987-20260101T000000Z-000", "x", "%00", "a%2fb"):
        answer = httpx.get(re.sub(r"/files/[^?]+", f"/files/{name}", url))
        assert answer.status_code == 404
        if "%2f" not in name:
            assert refusal(answer) == NO_KEY


def test_two_partners_have_files_of_one_id(partner: Partner, url: str, opened: Opened) -> None:
    other = opened(Partner(partner.server))
    other.file(STAMP, b"id\nother\n")
    theirs = url_of(other)
    assert theirs.partition("?")[0] == url.partition("?")[0]
    assert httpx.get(theirs).content == b"id\nother\n"
    assert httpx.get(url).content == CONTENT


def test_in_part(url: str) -> None:
    def part(asked: str, **headers: str) -> httpx.Response:
        return httpx.get(url, headers={"Range": asked} | headers)

    whole = httpx.get(url)
    assert whole.headers["accept-ranges"] == "bytes"
    first = part("bytes=0-99")
    assert (first.status_code, first.content) == (206, CONTENT[:100])
    assert first.headers["content-range"] == f"bytes 0-99/{len(CONTENT)}"
    assert part("bytes=100-").content == CONTENT[100:]
    assert part("bytes=-10").content == CONTENT[-10:]
    assert part(f"bytes={len(CONTENT)}-").status_code == 416
    assert part("bytes=0-9", **{"If-Range": whole.headers["etag"]}).status_code == 206
    head = httpx.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(CONTENT)))
    assert httpx.get(url, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304


def test_a_file_that_was_lost(partner: Partner, url: str) -> None:
    from airtally.datasets.stored import stored_name

    of = next(each for each in partner.datasets if each.id == "data987")
    partner.server.services.files.delete(stored_name(partner.slug, of.row_id, "data987-20261122T080000Z-000"))
    assert refusal(httpx.get(url)) == NO_KEY


def test_a_store_that_does_not_answer(own_partner: Callable[..., Partner]) -> None:
    class Away(Faults):
        away = False

        def reach(self, point: str) -> None:
            if self.away and point == "files.read":
                raise Unavailable("The file store failed")

    faults = Away()
    partner = own_partner(faults=faults)
    partner.file(STAMP, CONTENT)
    url = url_of(partner)
    faults.away = True
    answer = httpx.get(url)
    assert refusal(answer)[:2] == (503, "ServiceUnavailable")
    assert int(answer.headers["retry-after"]) > 0
    faults.away = False
    assert httpx.get(url).content == CONTENT


def test_other_servers_with_the_same_secret_honour_it(
    own_partner: Callable[..., Partner], start_server: Callable[..., object]
) -> None:
    partner = own_partner()
    partner.file(STAMP, CONTENT)
    url = url_of(partner)
    second = start_server(clock=partner.server.services.clock)
    assert httpx.get(url.replace(partner.server.url, second.url)).content == CONTENT  # type: ignore[attr-defined]
