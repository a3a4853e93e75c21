"""What HTTP asks of everything that can be read: the methods, and whether a page or data is wanted."""

from __future__ import annotations

import re

from litestar.enums import HttpMethod

#: What a route answers to whose content is read: pages, files, probes. The answer to HEAD has no body, but its length.
METHODS = (HttpMethod.GET, HttpMethod.HEAD)

_HTML = ("text/html", "application/xhtml+xml")
_JSON = ("application/json", "application/problem+json")
_WEIGHT = re.compile(r"0(?:\.[0-9]*)?|1(?:\.0*)?")


def prefers_page(accept: str) -> bool:
    """Whether a header `Accept` puts HTML before JSON, as browsers do (RFC 9110, 12.5.1).

    Programs that say nothing, take everything or take both alike get JSON.
    """
    weights = dict(_weights(accept))
    return max(_weight(kind, weights) for kind in _HTML) > max(_weight(kind, weights) for kind in _JSON)


def _weights(accept: str) -> list[tuple[str, float]]:
    """Media ranges and their weights; a range whose weight cannot be read is left out."""
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
    """That of the narrowest range which the media type is in."""
    for media_range in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if media_range in weights:
            return weights[media_range]
    return 0.0
