"""HTTP: the methods of readable routes, and what a client prefers, accepts and has."""

from __future__ import annotations

import re
from collections.abc import Sequence

from litestar.enums import HttpMethod

#: Methods of routes that are read: pages, files, probes. The answer to HEAD has the length of the body it leaves out.
METHODS = (HttpMethod.GET, HttpMethod.HEAD)

_HTML = ("text/html", "application/xhtml+xml")
_JSON = ("application/json", "application/problem+json")
#: The other name of a content coding (RFC 9110, 8.4.1.3).
_CODINGS = {"x-gzip": "gzip"}
_WEIGHT = re.compile(r"0(?:\.[0-9]*)?|1(?:\.0*)?")


def prefers_page(accept: str) -> bool:
    """Whether the header `Accept` prefers HTML to JSON, as browsers do (RFC 9110, 12.5.1).

    Clients that send no header, accept anything or accept both equally get JSON.
    """
    weights = dict(_weights(accept))
    return max(_weight(kind, weights) for kind in _HTML) > max(_weight(kind, weights) for kind in _JSON)


def accepts_gzip(accepted: str) -> bool:
    """Whether the header `Accept-Encoding` accepts gzip (RFC 9110, 12.5.3); an absent or empty one does not."""
    return coding_of(accepted, ("gzip",)) is not None


def coding_of(accepted: str, offered: Sequence[str]) -> str | None:
    """The content coding that the header `Accept-Encoding` prefers among those offered, of equal ones the first.

    None where it names none of them, or gives more weight to the plain form (RFC 9110, 12.5.3).
    """
    if not accepted:
        return None
    weights = {_CODINGS.get(name, name): weight for name, weight in _weights(accepted)}
    found = {each: weights.get(each, weights.get("*", 0.0)) for each in offered}
    best = max(offered, key=lambda each: found[each])
    return best if found[best] > 0 and found[best] >= weights.get("identity", 0.0) else None


def is_known(known: str, tag: str) -> bool:
    """Whether the header `If-None-Match` names the ETag, as RFC 9110, 13.1.2 compares: weak and strong ones are the same."""
    bare = tag.removeprefix("W/")
    return known.strip() == "*" or bare in {each.strip().removeprefix("W/") for each in known.split(",")}


def _weights(accept: str) -> list[tuple[str, float]]:
    """Media ranges or codings and their weights; one whose weight cannot be read is left out."""
    found = []
    for each in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in each.split(";"))
        weight = next(
            (value.strip() for name, _, value in (p.partition("=") for p in parameters) if name.strip() == "q"), "1"
        )
        if _WEIGHT.fullmatch(weight):
            found.append((kind, float(weight)))
    return found


def _weight(kind: str, weights: dict[str, float]) -> float:
    """The weight of the most specific media range that includes the media type; 0 without one."""
    for media_range in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if media_range in weights:
            return weights[media_range]
    return 0.0
