"""`Idempotency-Key`: a batch is accepted once, even after a crash and on several machines."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from airtally.database.store import MetadataStore
from airtally.database.tables import claims
from airtally.ingest.decode import UnpackedBody
from airtally.kit.clock import Clock
from airtally.kit.errors import BadRequest, Conflict, Unprocessable
from airtally.kit.time import DAY_US
from airtally.storage.buffer import Buffer

KEPT_US = 8 * DAY_US
MAX_KEY_BYTES = 255


@dataclass(frozen=True, slots=True)
class Claim:
    """A key claimed by the current request. `id` names it in the buffer that commits its rows."""

    account_id: int
    stream: str
    key: str

    @property
    def id(self) -> str:
        return f"{self.account_id}/{self.stream}/{self.key}"


class Claims:
    """Claims of keys: made before a batch's rows are committed, and given the answer after.

    The buffer keeps the answer in the transaction of the rows, so that after a crash it tells which claims were
    committed (`settle`). Thread-safe: the metadata store decides between requests with the same key.
    """

    def __init__(self, store: MetadataStore, buffer: Buffer, clock: Clock) -> None:
        self._store = store
        self._buffer = buffer
        self._clock = clock

    def take(self, account_id: int, stream: str, key: str, body: UnpackedBody | bytes) -> Claim | bytes:
        """Claim the key. Returns the claim, or the answer of the request that had it before.

        Raises BadRequest for an invalid key, Conflict while the first request is in progress, Unprocessable if it had
        another body.
        """
        if not key or len(key.encode()) > MAX_KEY_BYTES or not key.isprintable():
            raise BadRequest(f"Idempotency-Key must be 1 to {MAX_KEY_BYTES} printable characters")
        claim = Claim(account_id, stream, key)
        digest = (UnpackedBody.of(body) if isinstance(body, bytes) else body).digest()
        return self._insert(claim, digest) or self._repeat(claim, digest)

    def answer(self, claim: Claim, answer: bytes) -> None:
        with self._store.begin() as connection:
            connection.execute(update(claims).where(*_is(claim)).values(answer=answer))
        self._buffer.forget_claims([claim.id])

    def give_up(self, claim: Claim) -> None:
        """Release a key whose batch was not kept."""
        with self._store.begin() as connection:
            connection.execute(delete(claims).where(*_is(claim), claims.c.answer.is_(None)))

    def settle(self, buffer_id: str) -> None:
        """After a crash: answer the claims whose rows this buffer committed, and release the others.

        Call it at start, before requests come in, for this process's buffer and each adopted one.
        """
        with self._store.begin() as connection:
            open_claims = connection.execute(
                select(claims.c.account_id, claims.c.stream, claims.c.key).where(
                    claims.c.buffer_id == buffer_id, claims.c.answer.is_(None)
                )
            ).all()
            for row in open_claims:
                claim = Claim(row.account_id, row.stream, row.key)
                answer = self._buffer.claim_answer(claim.id)
                if answer is None:
                    connection.execute(delete(claims).where(*_is(claim)))
                else:
                    connection.execute(update(claims).where(*_is(claim)).values(answer=answer))

    def expire(self) -> None:
        """Delete claims after 8 days, including those that a lost process never answered."""
        limit = self._clock.now_us() - KEPT_US
        with self._store.begin() as connection:
            connection.execute(delete(claims).where(claims.c.claimed_at < limit))

    def _insert(self, claim: Claim, digest: str) -> Claim | None:
        try:
            with self._store.begin() as connection:
                connection.execute(
                    insert(claims).values(
                        account_id=claim.account_id,
                        stream=claim.stream,
                        key=claim.key,
                        body_sha256=digest,
                        buffer_id=self._buffer.id,
                        claimed_at=self._clock.now_us(),
                    )
                )
        except IntegrityError:
            return None
        return claim

    def _repeat(self, claim: Claim, digest: str) -> bytes:
        with self._store.read() as connection:
            row = connection.execute(select(claims.c.body_sha256, claims.c.answer).where(*_is(claim))).one_or_none()
        if row is not None and row.body_sha256 != digest:
            raise Unprocessable("This Idempotency-Key was used with another body")
        if row is not None and row.answer is not None:
            return bytes(row.answer)
        committed = None if row is None else self._buffer.claim_answer(claim.id)
        if committed is None:
            raise Conflict("A request with this Idempotency-Key is under way", retry_after=1)
        self.answer(claim, committed)  # its rows are on disk, but the first request did not get to store its answer
        return committed


def _is(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return (claims.c.account_id == claim.account_id, claims.c.stream == claim.stream, claims.c.key == claim.key)
