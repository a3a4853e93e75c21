"""The Slate datasets API: listings, downloads and OAuth (docs/vendors/slate.md)."""

from __future__ import annotations

from fuzz.case import Case
from fuzz.grammar.draft import Draft
from fuzz.home import GROUP
from fuzz.values import moment, plain_nasty


def draw(draft: Draft) -> Case:
    return _token(draft) if draft.chance.one_in(4) else _listing(draft)


def _listing(draft: Draft) -> Case:
    chance = draft.chance
    token = draft.key(lambda of: of.key("slate", "access_token"))
    business = draft.own(lambda of: of.businesses)
    parts = [
        draft.own(lambda of: (of.slate_account,)),
        GROUP,
        business,
        "datasets",
        f"{business}-{chance.of('subscription', 'playback', 'catalog')}",
    ]
    depth = chance.of(0, 1, 2, 4, 5, 5, 5)
    path = "/".join(["/apis/v2/accounts", *map(str, parts[:depth])]) + chance.of("", "", "/")
    query: list[tuple[str, object]] = [
        ("limit", chance.of(None, 1, 2, 1000, 5000)),
        ("offset", chance.of(None, 0, 1, 7)),
    ]
    if depth == 5:
        query += [
            ("startDateTime", chance.of(None, moment(chance, draft.today, 800))),
            ("endDateTime", chance.of(None, moment(chance, draft.today, 3))),
        ]
    headers = [(b"Authorization", f"{chance.of('Bearer', 'Bearer', 'bearer')} {token}".encode("utf-8", "replace"))]
    return draft.case(b"GET", path, query=draft.pairs(query), headers=headers)


def _token(draft: Draft) -> Case:
    chance = draft.chance
    fields: list[tuple[str, object]] = [
        ("client_id", draft.key(lambda of: of.key("slate", "client_id"))),
        ("client_secret", draft.key(lambda of: of.key("slate", "client_secret"))),
    ]
    if chance.one_in(3):
        fields += [("grant_type", "authorization_code"), ("code", plain_nasty(chance)), ("redirect_uri", "https://x/")]
    else:
        fields += [
            ("grant_type", "refresh_token"),
            ("refresh_token", draft.key(lambda of: of.key("slate", "refresh_token"))),
        ]
    chance.shuffle(fields)
    kind = b"application/x-www-form-urlencoded"
    if draft.spoiled and chance.one_in(6):
        kind = chance.of(
            b"application/json", b"multipart/form-data; boundary=x", b"", b"text/plain; charset=utf-16", b"\xff"
        )
    return draft.case(b"POST", "/auth/o2/token", headers=[(b"Content-Type", kind)], body=draft.pairs(fields))
