"""Make the home of a release, as tests keep it: `python tests/homes/make.py FOLDER`, run by that release's own program.

Run from a checkout of the release, in its environment (`PYTHONPATH=tests`). FOLDER gets `home/`, killed with rows in
its buffer; `answers.json`, what that program answered to each request; and `plays.ndjson`, a file that it loaded.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from airtally.accounts.accounts import Account
from airtally.accounts.keys import KeyOptions
from airtally.background import maintenance_of, rebuilder_of
from airtally.engine.child_process import InProcess
from airtally.ingest.service import Batch
from airtally.kit.clock import MovableClock
from airtally.rollups.rebuild import EAGER as REBUILD_ALL
from airtally.runtime import open_services
from airtally.services import Engines, Services
from airtally.settings import Settings
from airtally.storage.lake.compaction import EAGER as COMPACT_ALL
from airtally.streams import STREAMS
from airtally.vendors.slate.entries import NewBusiness
from airtally.vendors.slate.services import slate_services
from fixtures.server import LiveServer
from fixtures.viewers import signed

PUBLIC_URL = "http://airtally.example"
NATIVE = {"acme": "native-token-of-acme-0123456789", "rival": "native-token-of-rival-0123456789"}
REPORTS = "fouryousee-token-of-acme-0123456789"
TAPJOY = "tapjoy-reporting-key-of-acme-0123456789"
SLATE = {
    "client_id": "amzn1.application-oa2-client.acme",
    "client_secret": "client-secret-of-acme-0123456789",
    "access_token": "Atza|access-token-of-acme-0123456789",
}
SCALEENGINE = {"cdn": 4242, "api_key": "DEMOKEY0DEMOKEY0DEMOKEY0DEMOKEY0", "secret_key": "5ec2e7aa00112233" * 4}
PUSHWOOSH = "pushwoosh-token-of-acme-0123456789"
ZONES = {"acme": "America/Sao_Paulo", "rival": "Asia/Kolkata"}
Row = dict[str, Any]


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


class Maker:
    """One process's services on the home, without what runs beside the answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = MovableClock(at("2026-08-20 12:00:00"))
        self.settings = Settings(
            home=folder / "home",
            rate_limits=False,
            public_url=PUBLIC_URL,
            secret_key="the secret key of a home kept for the tests",
        )
        self.services: Services
        self.accounts: dict[str, Account] = {}

    def open(self) -> None:
        self.services = open_services(self.settings, clock=self.clock)
        self.services.engines.heavy.close()
        self.services.engines = Engines(self.services.engines.engine, InProcess())
        self.services.storage.writers.join()

    def close(self) -> None:
        self.services.storage.event_store.flush()
        self.services.close()

    def go_to(self, text: str) -> None:
        self.clock.advance((at(text) - self.clock.now_us()) / 1_000_000)

    def send(
        self, stream: str, account: str, *rows: Row, media_type: str = "application/json", body: bytes = b""
    ) -> Any:
        batches = self.services.intake.batches
        assert batches is not None
        content = body or json.dumps(list(rows)).encode()
        answer = json.loads(batches.accept(Batch(STREAMS[stream], self.accounts[account], content, media_type)))
        assert body or answer["rejected"] == 0, answer
        return answer

    def settle(self, *names: str, compact: bool = True) -> None:
        """Flush, compact, make the rollups, let what is too old go."""
        self.services.storage.event_store.flush()
        rebuilder = rebuilder_of(self.services)
        maintenance = maintenance_of(self.services, rebuilder)
        for name in names:
            table = self.services.storage.lake.table(STREAMS[name])
            if compact:
                maintenance.compact(table, COMPACT_ALL)
            for rollup in STREAMS[name].rollups:
                rebuilder.rebuild(table, rollup, REBUILD_ALL)
            maintenance.expire(table)
            for rollup in STREAMS[name].rollups:
                rebuilder.expiry.expire(rollup)


def accounts(maker: Maker) -> None:
    services = maker.services
    for slug, zone in ZONES.items():
        account = maker.accounts[slug] = services.access.accounts.create(slug.title(), slug, timezone=zone)
        both = KeyOptions(scopes=frozenset({"read", "write"}))
        services.access.keys.create(account, "native", both, imported={"token": NATIVE[slug]})
    acme = maker.accounts["acme"]
    services.access.keys.create(acme, "fouryousee", imported={"secret_token": REPORTS})
    services.access.keys.create(acme, "tapjoy", imported={"reporting_api_key": TAPJOY})
    services.access.keys.create(acme, "slate", KeyOptions(static=True), imported=SLATE)
    services.access.keys.create(acme, "scaleengine", imported=SCALEENGINE)
    services.access.keys.create(acme, "pushwoosh", imported={"auth": PUSHWOOSH})
    services.access.users.create(acme, username="ana", name="Ana", email="ana@acme.example", password="correct horse")
    datasets = {"catalog": "data985", "playback": "data986", "subscription": "data987"}
    slate_services(services).register.create_business(
        acme, NewBusiness("7890", "abc123", "Acme Max", datasets=datasets)
    )


def samples(day: str, viewers: int, hours: tuple[int, ...] = (0, 3, 12, 23)) -> list[Row]:
    base = {"app": "acme-vod", "video_url": "shows/pilot.mp4", "server": "e1"}
    return [base | {"time": f"{day}T{hour:02}:30:00Z", "viewers": viewers} for hour in hours]


def viewers(maker: Maker) -> None:
    """Days of which only the day's part is left, the hour's too, the minute's too, and rows."""
    maker.send("viewer_apps", "acme", {"app": "acme-vod", "app_id": 76})
    for moment, days in (
        ("2026-09-03 12:00:00", ("2026-09-01", "2026-09-02")),
        ("2026-10-06 12:00:00", ("2026-10-04", "2026-10-05")),
        ("2026-11-01 12:00:00", ("2026-10-30", "2026-10-31")),
    ):
        maker.go_to(moment)
        for place, day in enumerate(days, 1):
            maker.send("viewer_samples", "acme", *samples(day, 10 * place))
        maker.settle("viewer_samples")


def advertising(maker: Maker) -> None:
    groups = [{"ad_group_id": name, "name": f"Group {name}", "platform": "iOS"} for name in ("A1", "ΛΟΓΟΣ")]
    maker.send("ad_groups", "acme", *groups)
    click = {"ad_group_id": "A1", "time": "2026-10-30T09:15:00Z", "kind": "paid_click", "country": "US"}
    maker.send("ad_events", "acme", click | {"count": 3, "id": "e1"}, click | {"count": 4, "spend": "1.25"})
    maker.send("ad_events", "acme", click | {"count": 5, "id": "e1", "ad_group_id": "a1"})
    maker.send("ad_events", "acme", *[click | {"id": "", "time": "2026-10-31T09:00:00Z"}] * 3)
    maker.send("ad_events", "acme", click | {"ad_group_id": "ΛΟΓΟΣ", "count": 7})
    maker.settle("ad_events", "ad_groups", compact=False)
    maker.send("ad_events", "acme", click | {"time": "2026-10-31T10:00:00Z", "id": "late", "count": 2})


def signage(maker: Maker) -> None:
    maker.send("players", "acme", {"player_id": 1, "name": "Lobby", "group_id": 4, "group_name": "Front"})
    maker.send("medias", "acme", {"media_id": 8, "name": "Spot", "categories": [{"id": 1, "name": "Ads"}]})
    play = {"player_id": 1, "media_id": 8, "duration_seconds": 15.5}
    for day in ("2026-10-01", "2026-10-02"):
        for minute in range(30):
            maker.send("playlogs", "acme", play | {"played_at": f"{day}T10:{minute:02}:00", "id": f"p{minute}"})
    maker.send("playlogs", "acme", play | {"played_at": "2026-10-01T10:03:30", "id": "p3"})
    maker.settle("playlogs")
    maker.send("playlogs", "acme", play | {"played_at": "2026-10-02T11:00:00", "id": "p3", "type": "V"})
    maker.send("playlogs", "acme", play | {"played_at": "2026-10-03T11:00:00"})
    maker.settle("playlogs", compact=False)
    path = maker.folder / "plays.ndjson"
    path.write_text("".join(json.dumps(play | {"played_at": f"2026-10-04T12:00:{n:02}"}) + "\n" for n in range(40)))
    maker.services.intake.files.load(STREAMS["playlogs"], maker.accounts["acme"], path)


def push(maker: Maker) -> None:
    maker.send("applications", "acme", {"application": "A1B2C-D3E4F", "name": "Shop"})
    base = {"application": "A1B2C-D3E4F", "event": "CartOpen", "hwid": "d1"}
    for minute, price in enumerate((2.5, 12.5, 40.25)):
        attributes = {"source": "push", "items": minute, "price": price}
        maker.send("app_events", "acme", base | {"time": f"2026-10-30T13:{minute:02}:00Z", "attributes": attributes})
    device = {"application": "A1B2C-D3E4F", "hwid": "d1"}
    maker.send("devices", "acme", device | {"device_type": 3, "user_id": "u1"})
    maker.send("device_tags", "acme", device | {"tag": "Topics", "value": ["sport", "news"]})
    maker.settle("app_events")


def channels(maker: Maker) -> None:
    base = {"business_id": "abc123"}
    events = [base | {"subscription_event_id": f"s{n}", "offer_name": "Gold"} for n in range(5)]
    maker.send("subscriptions", "acme", *events)
    maker.send("catalog", "acme", base | {"id": "c1", "title": "Pilot"})
    maker.services.on_demand().run(maker.accounts["acme"], "data987")
    maker.send("subscriptions", "acme", base | {"subscription_event_id": "s1", "is_deleted": 1})


def quarantine(maker: Maker) -> None:
    lines = b'{"player_id": "one", "media_id": 8, "played_at": "2026-10-01T10:00:00"}\n{"player_id": 1\n'
    maker.send("playlogs", "acme", body=lines, media_type="application/x-ndjson")
    group = b'{"business_id": "later", "subscription_event_id": "w1"}\n'
    maker.send("subscriptions", "acme", body=group, media_type="application/x-ndjson")
    path = maker.folder / "waiting.csv"
    path.write_text("business_id,subscription_event_id,offer_name\nlater,w2,US\nlater,w3,BR\n")
    maker.services.intake.files.load(STREAMS["subscriptions"], maker.accounts["acme"], path)
    path.unlink()
    sink = io.BytesIO()
    pq.write_table(pa.table({"business_id": ["later"], "subscription_event_id": ["w4"], "is_promo": [1.0]}), sink)
    maker.send("subscriptions", "acme", body=sink.getvalue(), media_type="application/vnd.apache.parquet")


def buffered(maker: Maker) -> None:
    """What the kill leaves on disk, outside the lake."""
    maker.send("playlogs", "acme", {"player_id": 1, "media_id": 8, "played_at": "2026-11-02T08:00:00", "id": "b1"})
    maker.send("playlogs", "rival", {"player_id": 2, "media_id": 9, "played_at": "2026-11-02T08:00:00"})
    maker.send("viewer_samples", "acme", *samples("2026-11-02", 30, (1, 2)))
    click = {"ad_group_id": "A1", "time": "2026-11-02T08:00:00Z", "kind": "paid_click", "count": 11}
    maker.send("ad_events", "acme", click)
    maker.send("subscriptions", "acme", {"business_id": "abc123", "subscription_event_id": "s9"})


def requests() -> list[Row]:
    """The calls whose answers are kept; `name` says what each shows."""
    native = {"Authorization": f"Bearer {NATIVE['acme']}"}
    asks: list[Row] = [
        {"stream": "playlogs", "dimensions": ["type"]},
        {"stream": "playlogs", "bucket": "day", "start": "2026-10-01T00:00:00Z", "end": "2026-11-03T00:00:00Z"},
        {
            "stream": "viewer_samples",
            "bucket": "day",
            "start": "2026-08-30T00:00:00Z",
            "end": "2026-11-03T00:00:00Z",
            "timezone": "UTC",
            "metrics": [{"name": "sum", "function": "sum", "column": "viewers"}, "count"],
        },
        {
            "stream": "ad_events",
            "bucket": "hour",
            "start": "2026-10-30T00:00:00Z",
            "end": "2026-11-03T00:00:00Z",
            "dimensions": ["ad_group_id", "kind"],
            "metrics": [{"name": "clicks", "function": "sum", "column": "count"}],
        },
        {"stream": "app_events", "dimensions": ["event"]},
    ]
    found = [
        {
            "name": f"query {n} of {ask['stream']}",
            "method": "POST",
            "path": "/api/v1/query",
            "headers": native,
            "json": ask,
        }
        for n, ask in enumerate(asks)
    ]
    reports, token = {"Secret-Token": REPORTS}, {"Authorization": f"Bearer {SLATE['access_token']}"}
    paths = ("/v1/reports", "/v1/players", "/v1/medias", "/v1/users")
    found += [{"name": f"4YouSee {path}", "method": "GET", "path": path, "headers": reports} for path in paths]
    paths = ("/apis/v2/accounts", "/apis/v2/accounts/{slate}/7890/abc123/datasets/data987")
    found += [{"name": f"Slate {path}", "method": "GET", "path": path, "headers": token} for path in paths]
    for graph, start in ((4, "2026-09-01"), (3, "2026-10-04"), (2, "2026-10-30")):
        text = signed(
            {
                "command": "viewer.log",
                "api_key": SCALEENGINE["api_key"],
                "timestamp": at("2026-11-02 09:15:00") // 10**6,
                "cdn": 4242,
                "app": "acme-vod",
                "graph": min(graph, 3) if graph != 4 else 4,
                "starttime": start,
            },
            secret=str(SCALEENGINE["secret_key"]),
        ).decode()
        found.append(
            {"name": f"ScaleEngine graph {graph}", "method": "POST", "path": "/stable/", "form": {"json": text}}
        )
    return found


def insights(http: httpx.Client) -> list[Row]:
    """Tapjoy's calls take a token that is asked for first."""
    token = http.post("/v1/oauth2/token", headers={"Authorization": f"Basic {TAPJOY}"}).json()["access_token"]
    dates = "start_time=2026-10-30T00:00:00Z&end_time=2026-11-03T00:00:00Z&time_increment=daily"
    return [
        {
            "name": f"Tapjoy {group}",
            "method": "GET",
            "path": f"/v1/ad_groups/{group}/insights?{dates}",
            "headers": {"Authorization": f"Bearer {token}"},
        }
        for group in ("A1", "ΛΟΓΟΣ")
    ]


def answered(http: httpx.Client, request: Row) -> Row:
    kept = {name: request[name] for name in ("headers", "json") if name in request}
    answer = http.request(request["method"], request["path"], data=request.get("form"), **kept)
    return request | {"status": answer.status_code, "answer": answer.json()}


def statistics(http: httpx.Client) -> Row:
    """Pushwoosh's, asked for until they are there."""
    body = {
        "auth": PUSHWOOSH,
        "application": "A1B2C-D3E4F",
        "event": "CartOpen",
        "date_from": "2026-10-30",
        "date_to": "2026-10-30",
    }
    asked = http.post("/json/1.3/getEventStatistics", json={"request": body}).json()
    waiting = {"request": {"auth": PUSHWOOSH, "request_id": asked["response"]["request_id"]}}
    while (answer := http.post("/json/1.3/getResults", json=waiting).json())["status_code"] == 420:
        time.sleep(0.1)
    return {"name": "Pushwoosh statistics", "request": body, "answer": answer}


def report(http: httpx.Client) -> Row:
    """A finished report and the text of its file."""
    headers = {"Secret-Token": REPORTS}
    wanted = {"type": "detailed", "filter": {"startDate": "2026-10-01", "endDate": "2026-10-02"}}
    made = http.post("/v1/reports", json=wanted, headers=headers).json()["id"]
    while (found := http.get(f"/v1/reports/{made}", headers=headers).json()).get("status") not in {"success", "failed"}:
        time.sleep(0.1)
    link = str(found["url"]).removeprefix(PUBLIC_URL)
    return {"id": made, "report": found, "path": link, "file": http.get(link).content.hex()}


def published(http: httpx.Client, answers: list[Row]) -> list[str]:
    """The text of each published file."""
    (listed,) = (each["answer"] for each in answers if each["path"].endswith("data987"))
    return [http.get(str(file["downloadUrl"]).removeprefix(PUBLIC_URL)).text for file in listed["data"]]


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    maker = Maker(folder)
    maker.open()
    accounts(maker)
    viewers(maker)
    maker.go_to("2026-11-02 09:00:00")
    for step in (advertising, signage, push, channels, quarantine):
        step(maker)
    maker.close()
    maker.go_to("2026-11-02 09:15:00")
    server = LiveServer(maker.settings, maker.clock).start()
    maker.services = server.services
    maker.accounts = {account.slug: account for account in server.services.access.accounts.all()}
    with httpx.Client(base_url=server.url, timeout=60) as http:
        made = report(http)
        buffered(maker)
        found = http.get("/apis/v2/accounts", headers={"Authorization": f"Bearer {SLATE['access_token']}"}).json()
        slate_id = found["data"][0]["id"]
        asked = [each | {"path": each["path"].replace("{slate}", slate_id)} for each in requests()]
        answers = [answered(http, each) for each in (*asked, *insights(http))]
        kept = {
            "made_on": date.today().isoformat(),
            "now": "2026-11-02 09:15:00",
            "report": made,
            "statistics": statistics(http),
            "answers": answers,
            "dataset_files": published(http, answers),
        }
    (folder / "answers.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n")
    sys.stdout.flush()
    os._exit(0)  # as kill -9 does: what is buffered stays in the buffer's file


if __name__ == "__main__":
    main(Path(sys.argv[1]))
