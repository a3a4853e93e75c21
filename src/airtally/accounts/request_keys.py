"""`Idempotency-Key` of the native API's writes: a repeated request gets the first one's answer.

Rows have claims of their own (`ingest/claims.py`), which a buffer settles after a crash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec
from sqlalchemy import ColumnElement, delete, select, update

from airtally.accounts.acting import current_actor
from airtally.accounts.secrets import Secrets
from airtally.database.store import MetadataStore
from airtally.database.tables import request_keys
from airtally.kit.clock import Clock
from airtally.kit.errors import BadRequest, Conflict, Unprocessable
from airtally.kit.time import DAY_US, SECOND_US

KEPT_US = DAY_US
#: A request that has not been answered for so long died with its process.
LONGEST_US = 600 * SECOND_US
MAX_KEY_BYTES = 255


class OutcomeUnknown(Conflict):
    """The first request with the key was cut off: what it was to change may have been changed or not."""

    code = "outcome_unknown"
    hint = "Look whether it took effect; if not, send it again with a new Idempotency-Key."


@dataclass(frozen=True, slots=True)
class RequestClaim:
    """`key` as it is stored, with whose it is."""

    account_id: int
    key: str

    @property
    def context(self) -> str:
        """What its answer is sealed for: in another row of the table it cannot be read."""
        return f"request key {self.account_id} {self.key}"


class KeptAnswer(msgspec.Struct, frozen=True):
    """An answer as it was sent. `body` is JSON."""

    status: int
    body: str
    headers: dict[str, str]


class RequestKeys:
    """Thread-safe: the metadata store decides between requests with the same key."""

    def __init__(self, store: MetadataStore, secrets: Secrets, clock: Clock) -> None:
        self._store = store
        self._secrets = secrets
        self._clock = clock

    def take(self, account_id: int, key: str, request: bytes) -> RequestClaim | KeptAnswer:
        """Claim the key for a request (its method, path and body), or return the answer that it has got.

        A key is its caller's own: another key or user of the account can neither spoil it nor get its answer.
        Raises BadRequest for an invalid key, Conflict while the first request is under way, OutcomeUnknown if that
        was cut off, Unprocessable if it was another request.
        """
        if not key or len(key.encode()) > MAX_KEY_BYTES or not key.isprintable():
            raise BadRequest(f"Idempotency-Key must be 1 to {MAX_KEY_BYTES} printable characters")
        claim, digest = RequestClaim(account_id, _of_caller(key)), hashlib.sha256(request).hexdigest()
        values = {
            "account_id": account_id,
            "key": claim.key,
            "request_sha256": digest,
            "claimed_at": self._clock.now_us(),
        }
        added = self._store.upserts.insert(request_keys).values(values).on_conflict_do_nothing()
        with self._store.begin() as connection:
            if connection.execute(added.returning(request_keys.c.key)).one_or_none() is not None:
                return claim
        return self._earlier(claim, digest)

    def keep(self, claim: RequestClaim, answer: KeptAnswer) -> None:
        sealed = self._secrets.seal(msgspec.json.encode(answer).decode(), claim.context)
        changed = update(request_keys).where(*_is(claim)).values(status=answer.status, answer=sealed)
        with self._store.begin() as connection:
            connection.execute(changed)

    def give_up(self, claim: RequestClaim) -> None:
        """Release the key of a request that was refused and changed nothing."""
        with self._store.begin() as connection:
            connection.execute(delete(request_keys).where(*_is(claim), request_keys.c.answer.is_(None)))

    def cut_off(self, claim: RequestClaim) -> None:
        """Note that nobody knows whether the request took effect: from now on the key gets OutcomeUnknown."""
        changed = update(request_keys).where(*_is(claim), request_keys.c.answer.is_(None))
        with self._store.begin() as connection:
            connection.execute(changed.values(claimed_at=request_keys.c.claimed_at - LONGEST_US - 1))

    def expire(self) -> None:
        """Forget requests of more than a day ago."""
        with self._store.begin() as connection:
            connection.execute(delete(request_keys).where(request_keys.c.claimed_at < self._clock.now_us() - KEPT_US))

    def _earlier(self, claim: RequestClaim, digest: str) -> KeptAnswer:
        with self._store.read() as connection:
            row = connection.execute(select(request_keys).where(*_is(claim))).one_or_none()
        if row is not None and row.request_sha256 != digest:
            raise Unprocessable("This Idempotency-Key was used with another request")
        if row is not None and row.answer is not None:
            return msgspec.json.decode(self._secrets.unseal(row.answer, claim.context), type=KeptAnswer)
        if row is not None and abs(self._clock.now_us() - row.claimed_at) > LONGEST_US:
            raise OutcomeUnknown("The first request with this Idempotency-Key was cut off")
        raise Conflict("A request with this Idempotency-Key is under way", retry_after=1)


def _of_caller(key: str) -> str:
    return f"{current_actor()} {key}"


def _is(claim: RequestClaim) -> tuple[ColumnElement[bool], ...]:
    return (request_keys.c.account_id == claim.account_id, request_keys.c.key == claim.key)
