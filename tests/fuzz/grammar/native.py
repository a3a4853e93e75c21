"""The native API: questions and statements, rows, and the Slate register (docs/guides/ingest.md, docs/vendors/slate.md)."""

from __future__ import annotations

from typing import Any

from airtally.streams import STREAMS
from fuzz.case import Case, Headers
from fuzz.decoding import draw as bodies
from fuzz.grammar.draft import Draft
from fuzz.grammar.questions import draw_question, draw_statement
from fuzz.home import GROUP

#: Rows that are counted at the end are this player's, of account a.
LEDGER_PLAYER = 1_000_003
_LEDGER_DAY = "2026-10-01"


def draw(draft: Draft, number: int) -> Case:
    kind = draft.chance.randrange(20)
    if kind == 0:
        return ledger(draft, number)
    if kind < 7:
        return draw_question(draft, [_bearer(draft)])
    if kind < 9:
        return draw_statement(draft, [_bearer(draft)])
    return _register(draft) if kind < 11 else _rows(draft)


def _bearer(draft: Draft) -> tuple[bytes, bytes]:
    token = draft.key(lambda of: of.key("native", "token"))
    return b"Authorization", f"{draft.chance.of('Bearer', 'Bearer', 'bearer')} {token}".encode("utf-8", "replace")


def ledger(draft: Draft, number: int) -> Case:
    """A batch with right rows and wrong ones, told from all others by its media id."""
    draft.me, draft.spoiled = draft.me if draft.me.letter == "a" else draft.other, False
    right, wrong = draft.chance.randrange(1, 20), draft.chance.randrange(3)
    line = b'{"player_id":%d,"media_id":%d,"played_at":"%s"}\n' % (
        LEDGER_PLAYER,
        number,
        f"{_LEDGER_DAY}T08:00:00".encode(),
    )
    body = line * right + b'{"player_id":"x"}\n' * wrong
    headers = [_bearer(draft), (b"Content-Type", b"application/x-ndjson")]
    path = "/api/v1/streams/playlogs/events"
    return draft.case(b"POST", path, headers=headers, body=body, ledger=(number, right))


def _rows(draft: Draft) -> Case:
    chance = draft.chance
    stream = chance.choice(list(STREAMS))
    body = bodies.draw(chance, draft.today, draft.plain, stream=stream, files=False)
    headers: Headers = [_bearer(draft), (b"Content-Type", body.kind.encode())]
    if body.encoding:
        headers.append((b"Content-Encoding", body.encoding.encode()))
    if chance.one_in(4):
        key = chance.of(f"k{chance.randrange(30)}", f"k{chance.randrange(10**9)}", "é" * 200, "", "x" * 3000)
        headers.append((b"Idempotency-Key", key.encode()))
    if draft.spoiled and chance.one_in(15):
        stream = chance.of("nothing", f"{stream}/", f"{stream}%00", "..", "", "x" * 500)
    return draft.case(b"POST", f"/api/v1/streams/{stream}/events", headers=headers, body=body.content)


def _register(draft: Draft) -> Case:
    chance, me = draft.chance, draft.me
    new = f"{me.letter}-{chance.randrange(60)}"
    bodies_: dict[str, dict[str, Any]] = {
        "accounts": {"name": "Name", "id": new},
        "groups": {"id": new, "name": "Group", "slate_account": draft.own(lambda of: (of.slate_account,))},
        "businesses": {
            "group": chance.of(GROUP, new),
            "id": new,
            "name": "Business",
            "territory": "US",
            "slate_account": me.slate_account,
            "datasets": {"subscription": f"{new}-s"},
            "format": chance.of("csv", "zip", "parquet"),
        },
        "codes": {"client_id": draft.own(lambda of: (of.key("slate", "client_id"),)), "redirect_uri": "https://x/"},
    }
    kind = chance.choice(list(bodies_))
    body = draft.json({name: value for name, value in bodies_[kind].items() if chance.randrange(5)})
    return draft.case(b"POST", f"/api/v1/slate/{kind}", headers=[_bearer(draft)], body=body)
