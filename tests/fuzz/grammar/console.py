"""Log-in, pages, operations and downloads: what has no vendor."""

from __future__ import annotations

from fuzz.case import Case, Headers
from fuzz.grammar.draft import Draft
from fuzz.values import plain_nasty

_PAGES = (
    "/",
    "/login",
    "/setup",
    "/sign-in",
    "/admin/reports_api.php",
    "/assets/console.0123456789ab.css",
    "/assets/../settings.py",
    "/docs/index.html",
    "/docs/../settings.py",
    "/logout",
    "/healthz",
    "/readyz",
    "/metrics",
    "/favicon.ico",
)
_RANGES = (
    "bytes=0-0", "bytes=-5", "bytes=5-", "bytes=5-2", "bytes=0-99999999999999999999", "bytes=a-b", "bytes=0-1,3-4", "items=0-1", "bytes=", "bytes=--1",
    "bytes=99999999-", "bytes= 0 - 1", "bytes=\u0661-", "bytes=0-0," * 500,
)  # fmt: skip


def draw(draft: Draft) -> Case:
    kind = draft.chance.randrange(10)
    if kind == 0:
        return _log_in(draft)
    return _page(draft) if kind < 5 else _download(draft)


def _cookie(draft: Draft) -> str:
    chance = draft.chance
    session = draft.key(lambda of: f"<<{of.letter}.session>>")
    cookie = f"airtally_session={session}"
    if draft.spoiled and chance.one_in(4):
        cookie = chance.of(
            f"x=1; {cookie}", f"{cookie}; {cookie}x", cookie * 90, f"airtally_session={plain_nasty(chance)}", ";;=="
        )
    return cookie.replace("\n", " ").replace("\r", " ").replace("\0", " ")


def _page(draft: Draft) -> Case:
    chance = draft.chance
    query = draft.pairs(
        [
            ("page", chance.of(None, 1, 2, "x", 10**12)),
            ("next", chance.of(None, "/", "//x", "/\\x", "https://x/")),
            ("token", chance.of(None, "x", plain_nasty(chance))),
        ]
    )
    headers = [(b"Cookie", _cookie(draft).encode("utf-8", "replace"))]
    return draft.case(chance.of(b"GET", b"GET", b"HEAD"), chance.choice(_PAGES), query=query, headers=headers)


def _log_in(draft: Draft) -> Case:
    """Right passwords are rare: each takes its time of the processor, as is meant."""
    chance, letter = draft.chance, draft.me.letter
    fields = [
        ("csrf_token", f"<<{letter}.form>>"),
        ("username", chance.of(draft.me.slug, plain_nasty(chance))),
        ("password", plain_nasty(chance)),
        ("next", chance.of("/", "//evil", "/admin/reports_api.php", plain_nasty(chance))),
    ]
    headers: Headers = [
        (b"Cookie", f"airtally_form=<<{letter}.cookie>>".encode()),
        (b"Content-Type", b"application/x-www-form-urlencoded"),
    ]
    body = draft.pairs(fields)
    if draft.spoiled and chance.one_in(2):
        headers[1] = (
            b"Content-Type",
            chance.of(
                b"multipart/form-data; boundary=x",
                b"application/json",
                b"",
                b"text/plain; charset=\xff",
                b"multipart/form-data",
            ),
        )
        body = chance.of(
            body,
            b'--x\r\nContent-Disposition: form-data; name="username"; filename="a"\r\n\r\n\xff\r\n--x--\r\n',
            b"--x",
            b"\xff\xfe",
            b"{}",
        )
    path = chance.of("/login", "/login", "/login", "/logout", "/setup", "/sign-in")
    return draft.case(b"POST", path, headers=headers, body=body)


def _download(draft: Draft) -> Case:
    chance = draft.chance
    link = draft.key(lambda of: f"<<{of.letter}.link.{chance.of('report', 'dataset', 'tags')}>>")
    headers: Headers = []
    if chance.one_in(2):
        headers.append((b"Range", chance.choice(_RANGES).encode()))
    if chance.one_in(4):
        name = chance.of(b"If-None-Match", b"If-Range", b"If-Modified-Since")
        headers.append((name, chance.of(b"*", b'"x"', b'W/"x"', b"Wed, 21 Oct 2015 07:28:00 GMT", b'"', b"\xff")))
    case = draft.case(chance.of(b"GET", b"GET", b"HEAD"), "", headers=headers)
    case.target = link.encode("utf-8", "replace").replace(b" ", b"+")
    if draft.spoiled and chance.one_in(3):
        case.target += chance.of(
            b"x", b"&x=1", b"%00", b"/..", b"&X-Amz-Expires=99999999999999999999", b"&playlogs-reports=x", b"?", b"%ff"
        )
    return case
