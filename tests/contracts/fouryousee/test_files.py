"""The link's form and life, links guessed or tampered with, ranges, and what the file holds at the edges."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from airtally.kit.clock import MovableClock
from airtally.kit.faults import Faults
from fixtures.http import check_head
from fixtures.signage import DAY, P1, P2, P3, Site, shown, until


def test_the_links_form(plays: Site) -> None:
    report_id = plays.ask()
    url = plays.ended(report_id)["url"]
    pattern = rf"{re.escape(plays.server.url)}/{plays.slug}/{report_id}-[0-9a-f]{{13}}\.gz\?playlogs-reports=[0-9a-f]+"
    assert re.fullmatch(pattern, url)
    assert plays.report(report_id)["url"] == url


def test_links_guessed_or_tampered_with(plays: Site, other_site: Site) -> None:
    url = plays.ended(plays.ask())["url"]
    other = plays.ended(plays.ask())["url"]
    base, _, signature = url.partition("?playlogs-reports=")
    first = "0" if signature[0] != "0" else "1"
    wrong = [
        base,
        f"{base}?playlogs-reports=",
        f"{base}?playlogs-reports={first}{signature[1:]}",
        f"{base}?playlogs-reports={signature[:-1]}",
        f"{base}?playlogs-reports={signature}0",
        f"{base}?playlogs-reports={other.partition('=')[2]}",
        url.replace(plays.slug, other_site.slug),
        re.sub(r"-[0-9a-f]{13}\.gz", "-0000000000000.gz", url),
        re.sub(r"/\d+-", "/999999-", url),
        url.replace(".gz", ".zip"),
        url.replace("/" + plays.slug, "/%2e%2e/" + plays.slug),
        url.replace(".gz", "%2fx.gz"),
    ]
    for each in wrong:
        answer = httpx.get(each)
        assert answer.status_code == 404, each
        assert plays.slug not in answer.text
    assert httpx.get(url).status_code == 200


def test_a_file_lives_its_days_and_the_report_stays_a_success(
    own_site: Callable[..., Site], clock: MovableClock
) -> None:
    site = own_site(report_file_days=90)
    report = site.ended(site.ask())
    clock.advance(90 * 86_400 - 1)
    assert httpx.get(report["url"]).status_code == 200
    clock.advance(1)
    assert httpx.get(report["url"]).status_code == 404
    again = site.report(report["id"])
    assert (again["status"], again["url"]) == ("success", report["url"])


def test_a_file_in_ranges(plays: Site) -> None:
    url = plays.ended(plays.ask())["url"]
    whole = httpx.get(url)
    assert whole.headers["accept-ranges"] == "bytes"
    assert int(whole.headers["content-length"]) == len(whole.content)
    size = len(whole.content)

    def part(asked: str) -> httpx.Response:
        return httpx.get(url, headers={"Range": asked})

    first = part("bytes=0-9")
    assert (first.status_code, first.content) == (206, whole.content[:10])
    assert first.headers["content-range"] == f"bytes 0-9/{size}"
    assert part("bytes=10-").content == whole.content[10:]
    assert part("bytes=-5").content == whole.content[-5:]
    assert part("bytes=10-999999").content == whole.content[10:]
    beyond = part(f"bytes={size}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    for none in ("bytes=", "bytes=5-2x", "lines=0-1", "bytes=0-1,4-5"):
        assert part(none).content == whole.content
    head = httpx.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(size))
    same = httpx.get(url, headers={"If-None-Match": whole.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_the_headers_say_how_good_a_file_is(plays: Site) -> None:
    headers = httpx.get(plays.ended(plays.ask())["url"]).headers
    assert headers["airtally-rows"] == "3"
    assert re.fullmatch("[0-9a-f]{64}", headers["airtally-sha256"])
    assert headers["airtally-data-through"] >= "2026-11-02T09:15:00"
    assert headers["content-disposition"].startswith("attachment; filename=")


def test_a_head_of_a_file(plays: Site) -> None:
    url = plays.ended(plays.ask())["url"]
    with httpx.Client() as anyone:
        headers = check_head(anyone, url)
        assert {"etag", "airtally-rows", "airtally-sha256", "airtally-data-through"} <= headers.keys()
        check_head(anyone, url, status=206, Range="bytes=3-9")
        check_head(anyone, url.replace(plays.slug, "nobody"), status=404)


def test_half_a_second_at_the_end_of_the_day(site: Site) -> None:
    site.send("playlogs", P3 | {"played_at": "2026-10-01T23:59:59.5Z"})
    assert site.plays() == shown(P3)
    assert site.plays(startDate="2026-10-02", endDate="2026-10-02") == []


def test_an_offset_is_dropped_after_the_wall_clock_is_taken(site: Site) -> None:
    site.send(
        "playlogs", P1 | {"played_at": "2026-10-01T08:00:00+09:00"}, P2 | {"played_at": "2026-10-01T08:00:10-11:00"}
    )
    assert site.plays(sort=1) == shown(P1, P2)


def test_corrections_and_repeats(site: Site) -> None:
    site.send("playlogs", P1 | {"id": "a"}, P2 | {"id": "b"})
    site.server.services.storage.event_store.flush()
    site.server.services.clock.advance(1)
    corrected = P1 | {"id": "a", "media_id": 99}
    site.send("playlogs", corrected, P2 | {"id": "b"}, P2 | {"id": "b"}, P3, P3)
    assert site.plays(sort=1) == shown(corrected, P2, P3, P3)
    assert site.plays(mediaId=[48]) == shown(P3, P3)


def test_type_and_ip_are_those_of_the_log(site: Site) -> None:
    site.send("playlogs", P1 | {"type": "V2", "ip": "10.1.2.3"})
    [line] = site.lines(site.ended(site.ask()))
    assert (line["type"], line["ip"]) == ("V2", "10.1.2.3")


def test_rows_acknowledged_before_the_request_are_in_the_file(site: Site) -> None:
    for number in range(5):
        site.send("playlogs", P1 | {"media_id": number})
        assert len(site.plays()) == number + 1


class Full(Faults):
    """The metadata store has no room, or the file store has not, for a while."""

    def __init__(self, point: str) -> None:
        self.point = point
        self.full = False

    def reach(self, point: str) -> None:
        if self.full and point == self.point:
            raise OSError(28, "No space left on device")


def test_a_report_waits_for_room_on_the_disk(own_site: Callable[..., Site], clock: MovableClock) -> None:
    disk = Full("files.write")
    site = own_site(faults=disk)
    site.send("playlogs", P1)
    disk.full = True
    report_id = site.ask()
    until(
        lambda: (
            "room" in site.server.services.reports.progress(site.server.services.reports.get(site.account, report_id))
        )
    )
    assert site.report(report_id)["status"] == "waiting"
    disk.full = False
    clock.advance(60)
    assert site.lines(site.ended(report_id))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_back_pressure_has_the_vendors_form(own_site: Callable[..., Site], method: str) -> None:
    class Away(Faults):
        away = False

        def reach(self, point: str) -> None:
            if self.away and point == "metadata.write":
                from airtally.kit.errors import StorageFull

                raise StorageFull("The metadata store has no room")

    faults = Away()
    site = own_site(faults=faults)
    faults.away = True
    if method == "POST":
        answer = site.post({"filter": DAY})
        assert answer.status_code == 503
        assert answer.json() == {
            "message": "The metadata store has no room",
            "details": {"report": ["The metadata store has no room"]},
        }
        assert int(answer.headers["retry-after"]) > 0
    faults.away = False
    assert site.get("/v1/reports").json()["total"] == 0
