"""Records of changelogs over HTTP: read in pages, with their versions, written and deleted."""

from __future__ import annotations

import itertools
import json
import threading
from urllib.parse import quote

import pytest

from airtally.streams import STREAMS
from airtally.streams.declaration import Kind
from airtally.streams.record_key import written_key

CHANGELOGS = [name for name, stream in STREAMS.items() if stream.kind is Kind.CHANGELOG]


@pytest.fixture
def records(client):
    """`records(stream, key="", method="GET", **request)`: the answer, whose status is checked."""

    def call(stream, key="", status=200, method="GET", below="", **request):
        path = f"/api/v1/streams/{stream}/records" + (f"/{quote(key, safe='')}" if key else "") + below
        answer = client.http.request(method, path, **request)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    return call


def pages(records, stream, **params):
    """All records, page by page."""
    found, cursor = [], {}
    while True:
        page = records(stream, params=params | cursor)
        assert len(page["items"]) <= params.get("limit", 100)
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


def test_a_record_is_written_read_changed_and_deleted(records):
    written = records("players", "7001", method="PUT", json={"values": {"name": "Lobby", "group_id": 3}})
    assert written == {"stream": "players", "record": "7001"}
    first = records("players", "7001")
    assert (first["record"], first["deleted"]) == ("7001", False)
    assert (first["values"]["player_id"], first["values"]["name"], first["values"]["group_id"]) == (7001, "Lobby", 3)
    records("players", "7001", method="PUT", json={"values": first["values"] | {"name": "Hall"}})
    second = records("players", "7001")
    assert second["values"]["name"] == "Hall"
    assert second["values"]["create_time_utc"] == first["values"]["create_time_utc"]
    records("players", "7001", 204, "DELETE")
    assert "is deleted" in records("players", "7001", 404)["detail"]
    versions = records("players", "7001", below="/versions")["items"]
    assert [(each["deleted"], each["values"]["name"]) for each in versions] == [
        (True, "Hall"),
        (False, "Hall"),
        (False, "Lobby"),
    ]
    assert records("players")["items"] == []
    assert [each["deleted"] for each in records("players", params={"deleted": "yes"})["items"]] == [True]
    records("players", "7001", method="PUT", json={"values": {"name": "Back"}})
    assert records("players", "7001")["values"]["name"] == "Back"


def test_pages_equal_a_naive_listing(client, records, api_server):
    """Keys with nulls, with characters of the encoding and in several versions, of the lake and of the buffer."""
    plain, comma = f"{client.account.slug}.A", f"{client.account.slug}.a,b"
    client.send("applications", [{"application": each} for each in (plain, comma)])
    applications, devices, tags = (None, plain, comma), ("~", ".", "x/y", "é"), ("t", "t2")
    newest = {}
    for turn in range(2):
        rows = []
        for number, (application, hwid, tag) in enumerate(itertools.product(applications, devices, tags)):
            if turn and number % 3:
                continue
            key = application, hwid, f"{tag} of {'all' if application is None else 'one'}"
            at = f"2026-10-0{turn + 1}T00:00:00.000000Z"
            row = dict(zip(("application", "hwid", "tag"), key, strict=True))
            row |= {"value": [f"v{number}", str(turn)], "is_deleted": int(turn and number % 2)}
            rows.append(row | {"last_update_time_utc": at, "create_time_utc": at})
            newest[key] = rows[-1]
        assert client.send("device_tags", rows).json()["errors"] == []
        if not turn:
            api_server.services.storage.event_store.flush()

    def expected(kept):
        rows = [(key, row) for key, row in newest.items() if kept(key, row)]
        rows.sort(key=lambda each: [(part is None, part or "") for part in each[0]])
        return [(written_key(key), row) for key, row in rows]

    def listed(**params):
        return [(each["record"], each["values"]) for each in pages(records, "device_tags", **params)]

    for limit in (1, 5, 100):
        assert listed(limit=limit) == expected(lambda _, row: not row["is_deleted"])
    assert listed(limit=3, deleted="any") == expected(lambda *_: True)
    assert listed(deleted="yes") == expected(lambda _, row: row["is_deleted"])
    assert listed(limit=2, key=["~"], deleted="any") == expected(lambda key, _: key[0] is None)
    assert listed(limit=2, key=[written_key((comma,)), "~7E"], deleted="any") == expected(
        lambda key, _: key[:2] == (comma, "~")
    )
    assert listed(prefix=comma[:-2], deleted="any") == expected(lambda key, _: key[0] == comma)
    assert listed(key=[plain], prefix="x/", deleted="any") == expected(lambda key, _: key[:2] == (plain, "x/y"))
    for name, row in expected(lambda _, row: not row["is_deleted"]):
        assert records("device_tags", name)["values"] == row


def test_keys_whose_case_does_not_matter(client, records):
    stamps = {"platform": "iOS", "last_update_time_utc": "2026-10-01T00:00:00Z"}
    client.send("ad_groups", [{"ad_group_id": each, "name": each, **stamps} for each in ("a1", "B2", "c3", "D4")])
    assert [each["record"] for each in pages(records, "ad_groups", limit=1)] == ["a1", "B2", "c3", "D4"]
    records("ad_groups", "A1", method="PUT", json={"values": {"ad_group_id": "a1", "name": "new", "platform": "iOS"}})
    assert records("ad_groups", "a1")["values"]["name"] == "new"
    assert len(records("ad_groups", "a1", below="/versions")["items"]) == 2


def test_versions_in_pages(client, records):
    for minute in range(5):
        client.send("players", [{"player_id": 1, "name": "p", "last_update_time_utc": f"2026-10-01T00:0{minute}:00Z"}])
    page = records("players", "1", below="/versions", params={"limit": 2})
    rest = records("players", "1", below="/versions", params={"limit": 10, "cursor": page["next"]})
    times = [each["values"]["last_update_time_utc"][14:16] for each in page["items"] + rest["items"]]
    assert (times, rest["next"]) == (["04", "03", "02", "01", "00"], None)
    assert "no record '2'" in records("players", "2", 404, below="/versions")["detail"]


def test_large_records_make_small_pages(client, records):
    """An answer is bounded by bytes too, and pages still lead through all of them."""
    text = "x" * 256
    categories = [{"id": number, "name": text} for number in range(3400)]  # just under 1 MiB
    for media in range(12):
        records("medias", str(media), method="PUT", json={"values": {"name": "m", "categories": categories}})
    first = records("medias", params={"limit": 100})
    assert 1 <= len(first["items"]) < 12
    assert [each["record"] for each in pages(records, "medias", limit=100)] == [str(media) for media in range(12)]


def test_a_repeated_request_writes_once(client, records):
    headers = {"Idempotency-Key": "put-1"}
    for _ in range(3):
        records("players", "5", method="PUT", json={"values": {"name": "once"}}, headers=headers)
    assert len(records("players", "5", below="/versions")["items"]) == 1
    assert "another body" in records("players", "6", 422, "PUT", json={"values": {}}, headers=headers)["detail"]
    for _ in range(2):
        records("players", "5", 204, "DELETE", headers={"Idempotency-Key": "delete-1"})
    assert len(records("players", "5", below="/versions")["items"]) == 2
    wrong = {"Idempotency-Key": "put-2"}
    records("players", "7", 422, "PUT", json={"values": {"name": 1}}, headers=wrong)
    records("players", "7", method="PUT", json={"values": {"name": "right"}}, headers=wrong)


def test_exact_numbers_and_json(client, records):
    """A number is handed on as it was written, not as a double; JSON of any order and spacing is stored."""
    text = '{"values": {"name": "m", "categories": [ {"name": "a \\u00e9",\n "id": 9007199254740993} ]}}'
    records("medias", "8001", method="PUT", content=text.encode(), headers={"Content-Type": "application/json"})
    assert records("medias", "8001")["values"]["categories"] == [{"id": 9007199254740993, "name": "a é"}]


@pytest.mark.parametrize(
    ("stream", "key", "body", "status", "words"),
    [
        ("players", "1", {"values": {"group_id": "x"}}, 422, "group_id"),
        ("players", "1", {"values": {"nothing": 1}}, 422, "unknown field"),
        ("players", "1", {"values": {"player_id": 2}}, 422, "another record"),
        ("players", "1", {"values": {"is_deleted": 1}}, 422, "DELETE"),
        ("players", "x", {"values": {}}, 404, "player_id is a whole number"),
        ("players", "1", {}, 422, "values"),
        ("players", "1", {"values": {}, "more": 1}, 422, "more"),
        ("players", "1", [], 400, "body"),
        ("device_tags", "a,b", {"values": {}}, 404, "application, hwid, tag"),
        ("playlogs", "1", {"values": {}}, 404, "has events, and no records"),
        ("nothing", "1", {"values": {}}, 404, "no stream"),
    ],
)
def test_what_cannot_be_written(client, records, stream, key, body, status, words):
    refused = records(stream, key, status, "PUT", json=body)
    assert words in json.dumps(refused)
    assert client.http.get("/api/v1/quarantine").json()["items"] == []


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"key": ["1", "2"]}, "at most 1 times"),
        ({"key": ["x"]}, "whole number"),
        ({"prefix": "7"}, "has no prefix"),
        ({"cursor": "!!"}, ""),
        ({"cursor": "eA"}, "whole number"),
        ({"deleted": "maybe"}, "deleted"),
        ({"limit": 1001}, "limit"),
        ({"x": "1"}, "x"),
    ],
)
def test_what_cannot_be_listed(records, params, words):
    assert words in json.dumps(records("players", status=422, params=params))


def test_events_have_no_records(records):
    assert "POST /api/v1/query" in records("playlogs", status=404)["hint"]
    for name in CHANGELOGS:
        assert records(name) == {"items": [], "next": None}


def test_another_account_has_other_records(api_server, join, records):
    records("players", "7001", method="PUT", json={"values": {"name": "mine"}})
    other = join(api_server)
    path = "/api/v1/streams/players/records"
    assert other.http.get(path).json()["items"] == []
    assert other.http.get(f"{path}/7001/versions").status_code == 404
    assert other.http.delete(f"{path}/7001").status_code == 204
    assert records("players", "7001")["values"]["name"] == "mine"
    own = f"{other.account.slug}-own"
    records("applications", own, method="PUT", json={"values": {"name": "app"}})
    taken = other.http.put(f"/api/v1/streams/applications/records/{own}", json={"values": {"name": "app"}})
    assert taken.status_code == 422


def test_a_write_key_learns_nothing(api_server, join, records):
    writer = join(api_server, scopes=("write",))
    path = "/api/v1/streams/players/records/1"
    answers = [writer.http.put(path, json={"values": {"name": "x"}}) for _ in range(2)]
    assert [each.json() for each in answers] == [{"stream": "players", "record": "1"}] * 2
    assert [writer.http.delete(path).status_code for _ in range(2)] == [204, 204]
    assert writer.http.get(path).status_code == 403


def test_many_writers_of_one_record(client, records):
    """Each acknowledged version is kept, with a time of its own."""

    def write(number):
        records("players", "9", method="PUT", json={"values": {"name": f"n{number}"}})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    versions = records("players", "9", below="/versions")["items"]
    assert {each["values"]["name"] for each in versions} == {f"n{number}" for number in range(8)}
    assert len({each["values"]["last_update_time_utc"] for each in versions}) == 8


def test_records_are_found_by_what_their_texts_contain(records):
    """Whatever the case, as they are now; `%`, `_` and `*` stand for themselves, and a number is a key."""
    for key, name in (("1", "Lobby 100%"), ("2", "lobby_7"), ("3", "Hall"), ("70", "É*")):
        records("players", key, method="PUT", json={"values": {"name": name}})
    records("players", "3", method="PUT", json={"values": {"name": "Lobbies"}})

    def found(text, **params):
        return [each["record"] for each in pages(records, "players", search=text, **params)]

    assert found("LOBB") == found("LOBB", limit=1) == ["1", "2", "3"]
    assert (found("0%"), found("Y_7"), found("é*"), found("hall")) == (["1"], ["2"], ["70"], [])
    assert (found("7"), found("70"), found("9" * 30)) == (["2"], ["70"], [])
