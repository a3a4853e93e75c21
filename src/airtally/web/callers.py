"""Authentication by a header, before the body is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airtally.accounts.keys import Keys, Principal
from airtally.kit.bearer import bearer_token
from airtally.kit.fair_executor import in_thread

Headers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Presented:
    """A presented credential: a kind of key and its text. `use` is that of an OAuth token, None for the key itself."""

    kind: str
    text: str
    use: str | None = None


#: Reads the credential from the headers (names in small letters); None without one.
Reader = Callable[[Headers], Presented | None]


def bearer_of(kind: str, use: str | None = None) -> Reader:
    """A reader of `Authorization: Bearer …` as a credential of the kind."""

    def read(headers: Headers) -> Presented | None:
        token = bearer_token(headers.get(b"authorization", b"").decode("latin-1"))
        return None if token is None else Presented(kind, token, use)

    return read


async def caller_of(keys: Keys, presented: Presented) -> Principal | None:
    """The principal, None for a wrong credential.

    Reads the store on a worker thread unless it was seen a second ago.
    """
    if presented.use is None:
        known = keys.cached(presented.kind, presented.text)
        return known or await in_thread(keys.authenticate, presented.kind, presented.text)
    known = keys.cached_token(presented.kind, presented.use, presented.text)
    return known or await in_thread(keys.authenticate_token, presented.kind, presented.use, presented.text)
