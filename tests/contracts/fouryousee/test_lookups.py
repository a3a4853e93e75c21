"""Players, medias and users in every listed form."""

from __future__ import annotations

from typing import Any

import pytest

from airtally.kit import metrics
from airtally.kit.time import iso_seconds
from fixtures.server import LiveServer
from fixtures.signage import P1, Site

PLAYER_KEYS = [
    *("id", "name", "description", "platform", "lastContactInMinutes", "group", "playerStatus", "playlists"),
    *("audios", "lastLogReceived"),
]
MEDIA_KEYS = ["id", "name", "description", "file", "durationInSeconds", "categories", "schedule"]


@pytest.fixture
def medias(site: Site) -> Site:
    site.send(
        "medias",
        {"media_id": 3, "name": "Coffee SALE", "categories": [{"id": 1, "name": "Food"}, {"id": 12, "name": "Sale"}]},
        {"media_id": 1, "name": "Ação da tarde", "categories": [{"id": 2, "name": 'a "{\\"id\\":1" b'}]},
        {"media_id": 2, "name": "Weather", "file": "w.mp4", "duration_seconds": 15, "description": "Sky"},
        {"media_id": 9, "name": "Gone", "is_deleted": 1},
    )
    return site


def ids(site: Site, path: str) -> list[int]:
    return [each["id"] for each in site.get(path).json()["results"]]


def test_a_player_with_nothing_known(site: Site) -> None:
    site.send("players", {"player_id": 7, "name": "Lobby"})
    answer = site.get("/v1/players/7")
    assert answer.status_code == 200
    assert list(answer.json()) == PLAYER_KEYS
    assert answer.json() == {
        "id": 7,
        "name": "Lobby",
        "description": "",
        "platform": "",
        "lastContactInMinutes": None,
        "group": {"id": 1, "name": "Default"},
        "playerStatus": {"id": 6, "name": "Never accessed", "time": 0},
        "playlists": dict.fromkeys("0123456"),
        "audios": {"0": None},
        "lastLogReceived": None,
    }
    listed = site.get("/v1/players").json()
    assert listed == {"results": [answer.json()], "total": 1, "currentPage": 1, "totalPages": 1}


@pytest.mark.parametrize(
    ("minutes", "status"),
    [
        (0, {"id": 1, "name": "Online", "time": 10}),
        (10, {"id": 1, "name": "Online", "time": 10}),
        (11, {"id": 2, "name": "Alert", "time": 20}),
        (20, {"id": 2, "name": "Alert", "time": 20}),
        (30, {"id": 3, "name": "Offline", "time": 30}),
        (31, {"id": 4, "name": "Assistance needed", "time": 1440}),
        (1440, {"id": 4, "name": "Assistance needed", "time": 1440}),
        (1441, {"id": 5, "name": "Local assist needed", "time": 9999999}),
    ],
)
def test_the_status_follows_the_last_contact(
    site: Site, shared_server: LiveServer, minutes: int, status: dict[str, Any]
) -> None:
    contact = iso_seconds(shared_server.services.clock.now_us() - minutes * 60_000_000)
    site.send(
        "players", {"player_id": 1, "name": "x", "last_contact_at": contact, "group_id": 4, "group_name": "Malls"}
    )
    player = site.get("/v1/players/1").json()
    assert (player["lastContactInMinutes"], player["playerStatus"]) == (minutes, status)
    assert player["group"] == {"id": 4, "name": "Malls"}


def test_the_last_log_is_the_declared_one_or_the_latest_arrival(site: Site, shared_server: LiveServer) -> None:
    site.send(
        "players",
        {"player_id": 2, "name": "a"},
        {"player_id": 3, "name": "b", "last_log_at": "2026-09-01T10:00:00-03:00"},
    )
    site.send("playlogs", P1, P1 | {"player_id": 3})
    received = iso_seconds(shared_server.services.clock.now_us())[:19].replace("T", " ")
    before = [from_memory(kind) for kind in ("records", "last arrivals")]
    players = site.get("/v1/players").json()["results"]
    assert [each["lastLogReceived"] for each in players] == [received, "2026-09-01 13:00:00"]
    assert [from_memory(kind) for kind in ("records", "last arrivals")] == [count + 1 for count in before]


def from_memory(kind: str) -> float:
    count: float = metrics.LOOKUPS.labels(kind, "memory")._value.get()
    return count


def test_a_player_is_its_last_version_until_it_is_deleted(site: Site, shared_server: LiveServer) -> None:
    site.send("players", {"player_id": 5, "name": "old"})
    shared_server.services.clock.advance(1)
    site.send("players", {"player_id": 5, "name": "new"})
    assert [each["name"] for each in site.get("/v1/players").json()["results"]] == ["new"]
    shared_server.services.clock.advance(1)
    site.send("players", {"player_id": 5, "is_deleted": 1})
    assert site.get("/v1/players").json()["total"] == 0
    assert site.get("/v1/players/5").text == '{"message":"Player with ID 5 was not found"}'


def test_players_come_in_pages(site: Site) -> None:
    site.send("players", *({"player_id": number, "name": f"p{number}"} for number in range(1, 231)))
    pages = [site.get(f"/v1/players?page={number}").json() for number in (1, 2, 3, 4)]
    assert [len(page["results"]) for page in pages] == [100, 100, 30, 0]
    assert {(page["total"], page["totalPages"]) for page in pages} == {(230, 3)}
    assert [each["id"] for page in pages for each in page["results"]] == list(range(1, 231))


def test_a_media(medias: Site) -> None:
    answer = medias.get("/v1/medias/2")
    assert list(answer.json()) == MEDIA_KEYS
    assert answer.json() == {
        "id": 2,
        "name": "Weather",
        "description": "Sky",
        "file": "w.mp4",
        "durationInSeconds": 15,
        "categories": [],
        "schedule": {"startDate": None, "endDate": None, "times": []},
    }
    assert answer.headers["airtally-timezone"] == "UTC"
    coffee = medias.get("/v1/medias/3").json()
    assert coffee["categories"] == [{"id": 1, "name": "Food"}, {"id": 12, "name": "Sale"}]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [1, 2, 3]),
        ("?id=3", [3]),
        ("?id=3,1,99", [1, 3]),
        ("?id=3,x", [3]),
        ("?id=x", []),
        ("?name=sale", [3]),
        ("?name=AÇÃO", [1]),
        ("?name=%25", []),
        ("?categoryId=1", [3]),
        ("?categoryId=2,12", [1, 3]),
        ("?categoryId=77", []),
        ("?id=1,2&name=ea", [2]),
        ("?id=&name=&categoryId=", [1, 2, 3]),
        ("?page=2", []),
        ("?limit=1&page=2", [2]),
    ],
)
def test_medias_by_what_is_asked_for(medias: Site, query: str, found: list[int]) -> None:
    assert ids(medias, f"/v1/medias{query}") == found


def test_a_list_of_ids_as_long_as_a_url_may_be(medias: Site) -> None:
    many = ",".join(str(number) for number in range(1, 1900))
    assert len(many) > 8192
    assert ids(medias, f"/v1/medias?id={many}") == [1, 2, 3]


@pytest.mark.parametrize("what", ["players", "medias"])
@pytest.mark.parametrize("item", ["77", "abc", "1e3", "9" * 25])
def test_what_is_not_there(site: Site, what: str, item: str) -> None:
    answer = site.get(f"/v1/{what}/{item}")
    assert answer.status_code == 404
    assert answer.text == f'{{"message":"{what[:-1].capitalize()} with ID {item} was not found"}}'


def test_nothing_declared_yet(site: Site) -> None:
    for what in ("players", "medias", "users"):
        assert site.get(f"/v1/{what}").text == '{"results":[],"total":0,"currentPage":1,"totalPages":0}'


def test_users_are_those_of_the_account(site: Site, other_site: Site) -> None:
    users = site.server.services.access.users
    for number, owner in enumerate((site, other_site, site)):
        users.create(
            owner.account,
            username=f"u{number}-{owner.slug}",
            name=f"User {number}",
            email=f"u{number}@example.com",
            password="a long password",
            group="Editors",
        )
    answer = site.get("/v1/users").json()
    assert [list(user) for user in answer["results"]] == [["id", "name", "username", "email", "group"]] * 2
    assert [user["name"] for user in answer["results"]] == ["User 0", "User 2"]
    assert answer["results"][0]["group"] == {"id": 1, "name": "Editors"}
    assert answer["total"] == 2


def test_another_accounts_players_and_medias_are_not_there(medias: Site, other_site: Site) -> None:
    medias.send("players", {"player_id": 1, "name": "x"})
    assert ids(other_site, "/v1/medias") == ids(other_site, "/v1/players") == []
    assert other_site.get("/v1/medias/1").status_code == other_site.get("/v1/players/1").status_code == 404


def test_row_47_the_categories_of_the_listed_medias(medias: Site) -> None:
    """Each once, by id, paged as the other listings; those of a deleted media are gone."""
    medias.send(
        "medias",
        {"media_id": 4, "name": "More", "categories": [{"id": 12, "name": "Sale"}, {"id": 30, "name": "News"}]},
        {"media_id": 9, "name": "Gone", "categories": [{"id": 99, "name": "Gone"}], "is_deleted": 1},
    )
    every = [
        {"id": 1, "name": "Food"},
        {"id": 2, "name": 'a "{\\"id\\":1" b'},
        {"id": 12, "name": "Sale"},
        {"id": 30, "name": "News"},
    ]
    assert medias.get("/v1/medias/categories").json() == {
        "results": every,
        "total": 4,
        "currentPage": 1,
        "totalPages": 1,
    }
    second = medias.get("/v1/medias/categories?limit=3&page=2").json()
    assert second == {"results": every[3:], "total": 4, "currentPage": 2, "totalPages": 2}
    assert medias.get("/v1/medias/categories/").json()["total"] == 4


def test_row_47_no_categories_at_all(site: Site) -> None:
    assert site.get("/v1/medias/categories").json() == {"results": [], "total": 0, "currentPage": 1, "totalPages": 0}


@pytest.mark.parametrize("path", ["/v1/playlists", "/v1/playlists/", "/v1/playlists/7", "/v1/playlists/7/contents"])
def test_row_47_no_playlists(site: Site, path: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.json()) == (404, {"message": "Playlists are not kept here"})
    assert site.http.get(path, headers={"Secret-Token": "nobody's"}).status_code == 401
    preflight = site.http.options(path)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, "*")
