"""`Idempotency-Key` of operations: a request that is sent again gets the answer of the first one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from litestar import Response

from airtally.accounts.request_keys import KeptAnswer, RequestClaim, RequestKeys
from airtally.api.operation import JSON, OperationCall
from airtally.kit.errors import Failure, StorageFull

HEADER = "idempotency-key"

_log = structlog.get_logger()


class RepeatedRequests:
    """Thread-safe. Blocks to read and write the metadata store."""

    def __init__(self, keys: RequestKeys) -> None:
        self._keys = keys

    def answer(
        self, call: OperationCall[Any, Any], body: bytes, answered: Callable[[], Response[bytes]]
    ) -> Response[bytes]:
        """What `answered` gives for the first request with the key, and the same for those after it.

        Raises what `answered` raises, and what `RequestKeys.take` does.
        """
        scope = call.request.scope
        named = b"\0".join([scope["method"].encode(), scope["path"].encode(), scope["query_string"], body])
        account_id = 0 if call.chosen is None else call.chosen.id
        claim = self._keys.take(account_id, header_text(str(call.request.headers[HEADER])), named)
        if isinstance(claim, KeptAnswer):
            headers = claim.headers | {"Idempotency-Replayed": "true"}
            return Response(claim.body.encode(), status_code=claim.status, media_type=JSON, headers=headers)
        return self._first(claim, answered)

    def _first(self, claim: RequestClaim, answered: Callable[[], Response[bytes]]) -> Response[bytes]:
        try:
            answer = answered()
        except Failure as failure:
            # what is refused has changed nothing, nor has a transaction without room; any other may have been committed
            refused = failure.status < 500 or isinstance(failure, StorageFull)
            _even_if_away(self._keys.give_up if refused else self._keys.cut_off, claim)
            raise
        except Exception:
            _even_if_away(self._keys.cut_off, claim)
            raise
        kept = KeptAnswer(answer.status_code or 200, answer.content.decode(), dict(answer.headers))
        _even_if_away(lambda claim: self._keys.keep(claim, kept), claim)
        return answer


def header_text(text: str) -> str:
    """A header's value as UTF-8, which clients send, else as Latin-1, which HTTP once prescribed."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _even_if_away(write: Callable[[RequestClaim], None], claim: RequestClaim) -> None:
    """The caller gets the answer also if what came of the key cannot be noted: its outcome is then unknown."""
    try:
        write(claim)
    except Failure as failure:
        _log.warning("the outcome of an Idempotency-Key could not be noted", error=failure.message)
