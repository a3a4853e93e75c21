"""What is refused, and how: docs/vendors/tapjoy.md#3, #6."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from airtally.kit.clock import MovableClock
from airtally.kit.errors import StorageFull
from airtally.kit.faults import Faults
from fixtures.insights import A1, TABLE, Advertiser
from fixtures.opened import Opened
from fixtures.server import LiveServer

NEXT_DAY = "end_time=2026-11-21T00:00:00Z"
DAY = "start_time=2026-11-20T00:00:00Z"
NOT_FOUND = (404, '{"error":"Not found"}')


def problems(answer: httpx.Response) -> list[str]:
    """The texts of a refused request."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    body = answer.json()
    assert list(body) == ["errors"]
    assert body["errors"]
    assert all(isinstance(each, str) and each for each in body["errors"])
    return list(body["errors"])


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    return answer.status_code, answer.text


@pytest.mark.parametrize("query", [DAY, NEXT_DAY])
def test_row_19_one_end_alone(network: Advertiser, query: str) -> None:
    (problem,) = problems(network.get(query=query))
    assert "start_time" in problem
    assert "end_time" in problem


@pytest.mark.parametrize("query", [f"{DAY}&{NEXT_DAY}", DAY, NEXT_DAY])
def test_row_20_a_preset_with_a_time(network: Advertiser, query: str) -> None:
    assert any("time_preset" in each for each in problems(network.get(query=f"time_preset=today&{query}")))


@pytest.mark.parametrize(
    "query",
    [
        f"start_time=2026-11-20T00:30:00-04:00&{NEXT_DAY}",
        f"{DAY}&end_time=2026-11-20T23:59:59Z",
        f"start_time=2026-11-20T00:00:00%2B05:30&{NEXT_DAY}",
        f"start_time=2026-11-20T00:30:00%2B05:30&{NEXT_DAY}",
        f"start_time=2026-11-20T00:00:00.001Z&{NEXT_DAY}",
    ],
)
def test_row_21_no_whole_hour(network: Advertiser, query: str) -> None:
    (problem,) = problems(network.get(query=query))
    assert "whole hour" in problem


@pytest.mark.parametrize(
    "query",
    [
        f"{DAY}&end_time=2026-11-20T00:00:00Z",
        f"{DAY}&end_time=2026-11-20T03:00:00%2B03:00",
        f"{DAY}&end_time=2026-11-19T00:00:00Z",
        f"start_time=yesterday&{NEXT_DAY}",
        f"start_time=2026-02-30T00:00:00Z&{NEXT_DAY}",
        f"start_time=2026-11-20&{NEXT_DAY}",
        f"start_time=1795132800&{NEXT_DAY}",
        f"start_time=2026-11-20T24:00:00Z&{NEXT_DAY}",
        f"start_time=2026-11-20T00:60:00Z&{NEXT_DAY}",
        f"start_time=2026-11-20T00:00:00-13:00&{NEXT_DAY}",
        f"start_time=2026-11-20T00:00:00%2B15:00&{NEXT_DAY}",
        f"start_time=2026-11-20T00:00:00Z%00&{NEXT_DAY}",
        f"start_time=2026-11-20T00:00:00Z%0A&{NEXT_DAY}",
        f"start_time=%D9%A2026-11-20T00:00:00Z&{NEXT_DAY}",
        f"start_time=0000-11-20T00:00:00Z&{NEXT_DAY}",
        f"start_time=2026-11-20 00:00:00Z&{NEXT_DAY}",
        f"start_time=%FF%FE&{NEXT_DAY}",
        f"start_time={'9' * 4000}&{NEXT_DAY}",
    ],
)
def test_row_22_no_range(network: Advertiser, query: str) -> None:
    assert all("_time" in each for each in problems(network.get(query=query)))


@pytest.mark.parametrize("start", ["2024-11-21T23:00:00Z", "2024-11-22T00:00:00%2B01:00", "0001-01-01T00:00:00%2B14"])
def test_row_24_more_than_two_years_ago(network: Advertiser, start: str) -> None:
    (problem,) = problems(network.get(query=f"start_time={start}&end_time=2024-11-23T00:00:00Z"))
    assert "start_time" in problem


@pytest.mark.parametrize(
    "query",
    [
        *("time_increment=weekly", "time_preset=last_month", "breakdowns=platform", "breakdowns=country_code,platform"),
        *("breakdowns=country_code&breakdowns=country_code", "breakdowns=country_code&breakdowns=platform"),
        *("breakdowns[]=country_code&breakdowns[]=country_code", "breakdowns=country_code&breakdowns[]=country_code"),
        *("time_increment=Daily", "time_preset=TODAY", "breakdowns=country_code%20", "breakdowns=Country_Code"),
    ],
)
def test_row_25_values_that_are_none(network: Advertiser, query: str) -> None:
    (problem,) = problems(network.get(query=query))
    assert problem.startswith(query.partition("=")[0].removesuffix("[]"))


def test_row_29_another_accounts_group(network: Advertiser) -> None:
    for group in ("B1", "b1"):
        assert refused(network.get(group, "time_preset=today")) == (403, '{"error":"Unauthorized"}')


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/ad_groups/unknown/insights", "/v1/ad_groups//insights", "/v1/ad_groups/insights/A1"),
        *("/v1/ad_groups", "/v1/ad_groups/A1", "/v1/ad_groups/A1/insights/x", "/v1/oauth2/x", "/v1/oauth2"),
        *("/v1/ad_groups/%00/insights", "/v1/ad_groups/%27%20OR%201/insights", f"/v1/ad_groups/{'x' * 3000}/insights"),
    ],
)
def test_row_30_no_such_group_or_route(network: Advertiser, path: str) -> None:
    headers = {"Authorization": f"Bearer {network.token}"}
    assert refused(network.http.get(path, headers=headers)) == NOT_FOUND


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        *(("GET", "/v1/oauth2/token", "POST"), ("PUT", "/v1/oauth2/token", "POST")),
        *(("POST", "/v1/ad_groups/A1/insights", "GET"), ("DELETE", "/v1/ad_groups/A1/insights", "GET")),
    ],
)
def test_row_31_another_method(network: Advertiser, method: str, path: str, allowed: str) -> None:
    answer = network.http.request(method, path, headers={"Authorization": f"Bearer {network.token}"})
    assert refused(answer) == (405, '{"error":"Method not allowed"}')
    assert allowed in answer.headers["allow"].split(", ")


def test_row_32_the_order_of_checks(network: Advertiser) -> None:
    path = "/v1/ad_groups/unknown/insights?time_increment=weekly"
    assert refused(network.get("unknown", "time_increment=weekly")) == NOT_FOUND
    assert refused(network.http.get(path)) == (401, '{"error":"Unauthorized"}')
    assert network.get("B1", "time_increment=weekly").status_code == 403


def test_all_that_is_wrong_is_told_at_once(network: Advertiser) -> None:
    query = "start_time=2020-01-01T00:30Z&end_time=x&time_preset=never&time_increment=weekly&breakdowns=a,b"
    found = problems(network.get(query=query))
    assert len(found) == 7
    for name in ("start_time", "end_time", "time_preset", "time_increment", "breakdowns"):
        assert any(name in each for each in found)


@pytest.mark.parametrize("query", ["&".join(f"p{n}=1" for n in range(3000)), "%", "=&==&%zz=%zz", "time_preset"])
def test_odd_queries_are_as_none(network: Advertiser, query: str) -> None:
    assert network.get(query=query).content == network.get().content


class Failing(Faults):
    """`point` raises once it is set."""

    point = ""

    def reach(self, point: str) -> None:
        if point == self.point:
            raise OSError("the disk is gone")


def test_row_34_storage_fails(start_server: Callable[..., LiveServer], opened: Opened, tmp_path: Path) -> None:
    faults = Failing()
    server = start_server(clock=MovableClock(1_795_343_400_000_000), faults=faults)
    mine = opened(Advertiser(server, "acme"))
    mine.send("ad_groups", A1)
    mine.send("ad_events", *TABLE)
    server.services.storage.event_store.flush()
    assert mine.get(query="time_preset=yesterday").status_code == 200
    lake = Path(server.services.storage.lake.url)
    internal = (500, '{"error":"Internal server error"}')
    for file in lake.glob("ad_events/**/*.parquet"):
        file.write_bytes(b"no Parquet")
    assert refused(mine.get(query="time_preset=last_week")) == internal
    lake.rename(tmp_path / "gone")  # at once: a background step may be writing into the folder
    assert refused(mine.get(query="time_preset=last_week")) == internal
    faults.point = "metadata.write"
    assert refused(mine.ask_token(f"Basic {mine.key}")) == internal


@pytest.mark.parametrize("failure", [StorageFull("full"), OSError(28, "No space left on device")])
def test_a_full_disk_has_the_vendors_form(
    start_server: Callable[..., LiveServer], failure: Exception, opened: Opened
) -> None:
    class Full(Faults):
        full = False

        def reach(self, point: str) -> None:
            if self.full and point == "metadata.write":
                raise failure

    faults = Full()
    server = start_server(clock=MovableClock(1_795_343_400_000_000), faults=faults)
    mine = opened(Advertiser(server, "acme"))
    faults.full = True
    assert refused(mine.ask_token(f"Basic {mine.key}")) == (500, '{"error":"Internal server error"}')
    faults.full = False
    assert mine.ask_token(f"Basic {mine.key}").status_code == 200
