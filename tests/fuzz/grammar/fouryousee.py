"""The 4YouSee reports API (docs/vendors/fouryousee.md)."""

from __future__ import annotations

from fuzz.case import Case
from fuzz.grammar.draft import Draft
from fuzz.values import day

_LISTS = ("reports", "players", "medias", "medias/categories", "users", "playlists")


def draw(draft: Draft) -> Case:
    chance = draft.chance
    headers = [(b"Secret-Token", draft.key(lambda of: of.key("fouryousee", "secret_token")).encode())]
    if chance.one_in(25):
        headers.pop()
    if chance.one_in(8):  # each day of a report is a query of the server's, so there are few of them, and short
        return draft.case(b"POST", _slashed(draft, "/v1/reports"), headers=headers, body=_report(draft))
    if chance.one_in(3):
        kind = chance.of("reports", "reports", "players", "medias", "medias/categories", "playlists")
        return draft.case(b"GET", _slashed(draft, f"/v1/{kind}/{_item(draft, kind)}"), headers=headers)
    query = [
        ("page", chance.of(None, 1, 2, 9)),
        ("limit", chance.of(None, 1, 10, 100)),
        ("sort", chance.of(None, "id", "-id", "status,-createdAt", "name")),
        ("id", chance.of(None, None, "48", "48,51", "1")),
        ("name", chance.of(None, None, "e", "Zimt", "Quitten")),
        ("categoryId", chance.of(None, None, "0", "0,1")),
    ]
    path = _slashed(draft, f"/v1/{chance.choice(_LISTS)}")
    return draft.case(b"GET", path, query=draft.pairs(query), headers=headers)


def _slashed(draft: Draft, path: str) -> str:
    return path + draft.chance.of("", "", "", "/", "//")


def _item(draft: Draft, kind: str) -> str:
    if kind == "reports":
        whose = draft.other if draft.chance.one_in(4) else draft.me
        return f"<<{whose.letter}.report>>"
    return str(draft.own(lambda of: of.players if kind == "players" else of.medias))


def _report(draft: Draft) -> bytes:
    chance = draft.chance
    fields: dict[str, object] = {
        "startDate": day(chance, draft.today, 20 if chance.one_in(8) else 3),
        "endDate": day(chance, draft.today, 2),
        "startTime": chance.of("00:00:00", "08:00", "23:59:59"),
        "endTime": chance.of("23:59:59", "12:00"),
        "mediaId": draft.chance.few(draft.me.medias),
        "playerId": chance.few([*map(str, draft.me.players), *draft.me.players]),
        "sort": chance.of(-1, 1),
    }
    kept = {name: value for name, value in fields.items() if name.endswith("Date") or chance.one_in(2)}
    wanted: dict[str, object] = {"type": "detailed", "filter": kept}
    if chance.one_in(8):
        wanted["webhook"] = chance.of(
            "http://127.0.0.1:1/", "http://[::1]/", "https://192.0.2.1/x", "", "ftp://x", "http://a b/", "http://\u0130/", "http://[fec0::1]:1/", "//x", "http://",
            "http://127.0.0.1:99999/", "http://user:pw@10.0.0.1/", "http://[::1", "http://xn--/", "http://" + "a" * 2050,
        )  # fmt: skip
    return draft.json(wanted)
