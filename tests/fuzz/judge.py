"""What must be true of every answer."""

from __future__ import annotations

import json
import re

from fuzz.case import Case
from fuzz.client import LONGEST, Answer
from fuzz.tenants import TENANTS
from fuzz.wire import Sent

SECONDS_MOST = 5.0
#: How a finding about time begins.
SLOW = "slow"
_TRACES = (
    b"Traceback (most recent call last)",
    b'File "/',
    b"site-packages",
    b"/src/airtally/",
    b"duckdb.duckdb.",
    b"sqlalchemy.exc",
    b"pyarrow.lib.",
)
#: What ScaleEngine and Pushwoosh say with HTTP 200 where something broke here.
_BROKEN = re.compile(rb'"code": ?"0004"|s:4:"0004"|"status_code": ?500')
#: Pages for people. No other path redirects.
_REDIRECTING = re.compile(r"/*|/+(login|logout|sign-in|setup|accounts|server|admin/|docs).*|/+api/?", re.DOTALL)


def faults(case: Case, sent: Sent, answer: Answer, secrets: tuple[bytes, ...]) -> list[str]:
    """In words, empty when all is well. `secrets` are paths of the server that no answer may show."""
    if answer.status == 0:
        return [_missing(answer)] if sent.complete else []
    found = [*_status(answer), *_contents(case, answer, secrets)]
    if answer.seconds > SECONDS_MOST:
        found.append(f"{SLOW}: the answer came after {answer.seconds:.1f} s")
    if sent.complete:
        found += _form(case, answer)
    return found


def _missing(answer: Answer) -> str:
    if answer.seconds >= LONGEST - 1:
        return f"{SLOW}: no answer within {LONGEST:.0f} s"
    return "the connection was closed without an answer"


def _status(answer: Answer) -> list[str]:
    """503 and 507 that say when to come again are how a full or busy server asks for patience."""
    if answer.status >= 500 and not (answer.status in {503, 507} and "retry-after" in answer.headers):
        return [f"status {answer.status}: {answer.body[:300]!r}"]
    if answer.status == 200 and _BROKEN.search(answer.body[:2000]):
        return [f"an internal error: {answer.body[:300]!r}"]
    return [] if 200 <= answer.status < 600 else [f"status {answer.status}"]


def _contents(case: Case, answer: Answer, secrets: tuple[bytes, ...]) -> list[str]:
    text = answer.text
    found = [f"the answer shows {mark!r}: {_around(text, mark)!r}" for mark in _TRACES if mark in text]
    if not case.target.startswith((b"/readyz", b"/metrics")):
        found += [f"the answer shows a path of the server: {_around(text, mark)!r}" for mark in secrets if mark in text]
    for tenant in TENANTS.values():
        mark = tenant.mark.encode()
        if tenant.letter not in case.shows and mark in text:
            found.append(f"the answer shows data of account {tenant.letter}: {_around(text, mark)!r}")
    return found


def _form(case: Case, answer: Answer) -> list[str]:
    """Only of answers to requests that were no nonsense."""
    path = case.target.split(b"?")[0].decode("latin-1")
    found = []
    if 300 <= answer.status < 400 and answer.status != 304 and not _REDIRECTING.fullmatch(path):
        found.append(f"a redirect to {answer.headers.get('location')}")
    if "json" in answer.headers.get("content-type", "") and answer.body and "content-encoding" not in answer.headers:
        try:
            json.loads(answer.body, parse_constant=_no_constant)
        except ValueError as error:
            found.append(f"what should be JSON is not: {error}: {answer.body[:200]!r}")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _around(text: bytes, mark: bytes) -> bytes:
    at = text.find(mark)
    return text[max(0, at - 80) : at + 120]
