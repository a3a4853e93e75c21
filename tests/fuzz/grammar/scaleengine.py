"""The ScaleEngine API: signed JSON in a form (docs/vendors/scaleengine.md)."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

from fuzz.case import Case
from fuzz.chance import Chance
from fuzz.grammar.draft import Draft
from fuzz.tenants import Tenant
from fuzz.trees import Raw, encoded, loose, mutated
from fuzz.values import moment, nasty

_BOUNDARY = b"fuzz-boundary"


def draw(draft: Draft) -> Case:
    chance = draft.chance
    signer = draft.me
    if draft.spoiled and chance.one_in(15):
        signer = draft.other
    text = _signed(chance, _text(draft), signer, broken=draft.spoiled and chance.one_in(12))
    draft.shows.add(draft.me.letter)
    kind, body = _form(draft, text)
    path = chance.of("/stable/", "/stable", "/dev/", "/stable/", "/stable/x") if chance.one_in(5) else "/stable/"
    return draft.case(b"POST", path, headers=[(b"Content-Type", kind)], body=body)


def _text(draft: Draft) -> bytes:
    chance, me = draft.chance, draft.me
    at = datetime(draft.today.year, draft.today.month, draft.today.day, tzinfo=UTC).timestamp()
    members: dict[str, Any] = {
        "command": "viewer.log" if chance.randrange(20) else chance.of("viewer.list", "", "sestore.log"),
        "cdn": chance.of(me.cdn, str(me.cdn)),
        "api_key": me.key("scaleengine", "api_key"),
        "timestamp": chance.of(int(at), at + 0.5, str(int(at))),
        "app": _app(draft),
        "graph": chance.of(1, 2, 3, 4, "3"),
    }
    if chance.one_in(3):
        members["url"] = chance.of("*", "a|*|b*", ["video_url*", "*1*2*"], "video_url-3", f"{me.mark}*", ["*"] * 210)
    if chance.one_in(4):
        members["server"] = chance.of("server-1", [], ["server-1", "server-2"])
    if chance.one_in(3):
        members["starttime"] = chance.of(int(at) - 86_400 * chance.randrange(20), moment(chance, draft.today))
    if not draft.spoiled:
        return encoded(members, chance.of(b"", b" "))
    tree = loose(members)
    kept, changed = tree[1:3], [tree[0], *tree[3:]]
    changed = mutated(chance, type(tree)(changed), nasty) if chance.randrange(4) else changed
    if not isinstance(changed, list):
        return encoded(changed)
    credentials = mutated(chance, type(tree)(kept), nasty, 1) if chance.one_in(10) else kept
    return encoded(type(tree)([*changed, *(credentials if isinstance(credentials, list) else [])]))


def _app(draft: Draft) -> Any:
    own = draft.own(lambda of: of.apps)
    return draft.chance.of(
        own, own, [own, draft.me.apps[0]], draft.me.cdn * 10 + 1, str(draft.me.cdn * 10 + 1), {"0": own}
    )


def _signed(chance: Chance, text: bytes, signer: Tenant, *, broken: bool) -> bytes:
    """With the signature as last member; `broken`: with one that is not of this text, or not one at all."""
    secret = signer.key("scaleengine", "secret_key").encode()
    signature = base64.b64encode(hmac.digest(secret, text, "sha256"))
    if broken:
        signature = chance.of(b"", signature[:-2], b"\xff", signature[::-1], b"A" * 5000)
    end = text.rfind(b"}")
    if end < 0:
        return text
    comma = b"," if text[:end].strip() != b"{" else b""
    member = encoded("signature") + b":" + encoded(Raw(b'"' + signature + b'"'))
    return text[:end] + comma + member + text[end:]


def _form(draft: Draft, text: bytes) -> tuple[bytes, bytes]:
    chance = draft.chance
    name = chance.of(b"json", b"json", b"php", b"JSON")
    if draft.spoiled and chance.one_in(10):
        name = chance.of(b"", b"xml", b"json[]", b"\xff")
    if chance.one_in(2):
        body = name + b"=" + quote_plus(text).encode()
        if draft.spoiled and chance.one_in(10):
            body = chance.of(body + b"&json=%", b"&" + body, body[: len(body) // 2], text, b"json")
        return b"application/x-www-form-urlencoded", body
    part = b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (_BOUNDARY, name, text)
    end = b"--%s--\r\n" % _BOUNDARY
    kind = b"multipart/form-data; boundary=" + _BOUNDARY
    if draft.spoiled and chance.one_in(6):
        body = chance.of(part, end, part * 3 + end, part[:-9], part.replace(b"\r\n", b"\n"), b"\r\n" + part + end, b"")
        kind = chance.of(
            kind, b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data; boundary=\xff", kind
        )
        return kind, body
    return kind, part + end
