"""`/api/v1/erasures`: what is known of a person, found and erased by a job. Accounts are closed and deleted here too."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from airtally.accounts.permissions import Permission
from airtally.api.operation import NoFields, OperationCall, OperationReply, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.resources.accounts import AccountAnswer, account_answer
from airtally.api.times import shown_moment
from airtally.erasure.closing import MAX_DAYS
from airtally.erasure.person import Person, person_of
from airtally.erasure.records import Erasure, ErasureFinding
from airtally.kit.errors import Conflict, NotFound
from airtally.services import Services

_FINDING = {"store": "lake", "part": "app_events", "found": 12, "erased": 12, "remains": 0, "why": None}
_EXAMPLE = {"user_id": ["ann"], "email": ["ann@example.org"]}
_ERASURE = {
    "id": 7,
    "kind": "person",
    "state": "erased",
    "requested_by": "key 12",
    "waiting_for": [],
    "through": "2026-11-02T09:15:04.000000Z",
    "error": None,
    "created_at": "2026-11-02T09:15:00.000000Z",
    "erased_at": "2026-11-02T09:15:09.000000Z",
    "done_at": None,
    "findings": [_FINDING],
}


class ErasedPerson(msgspec.Struct, forbid_unknown_fields=True):
    """The ids of one person, at least one of them."""

    hwid: list[str] = msgspec.field(default_factory=list)
    user_id: list[str] = msgspec.field(default_factory=list)
    cid: list[str] = msgspec.field(default_factory=list)
    email: list[str] = msgspec.field(default_factory=list)

    def person(self) -> Person:
        """Raises BadRequest."""
        return person_of(msgspec.structs.asdict(self))


class FindingAnswer(msgspec.Struct, frozen=True):
    """What a part of a store held: `found` rows or files, how many were `erased`, what `remains` and why."""

    store: str
    part: str
    found: int
    erased: int
    remains: int
    why: str | None


class PreviewAnswer(msgspec.Struct, frozen=True):
    findings: list[FindingAnswer]


class ErasureAnswer(msgspec.Struct, frozen=True):
    """`kind`: person or account. `state`: waiting, erasing, erased (in no answer any more) or done (old files are gone).

    Rows received by `through` are erased. `waiting_for`: hosts whose rows have not come in. `error`: why the last try
    failed. `findings` are there for one erasure, not in listings.
    """

    id: int
    kind: str
    state: str
    requested_by: str
    waiting_for: tuple[str, ...]
    through: str | None
    error: str | None
    created_at: str
    erased_at: str | None
    done_at: str | None
    findings: list[FindingAnswer] | None = None


class ErasureResource:
    def __init__(self, services: Services) -> None:
        self._privacy = services.privacy

    @operation(
        *("POST", "/erasures", Permission.ADMIN, "Erase a person"),
        status=202,
        answer=ErasureAnswer,
        failures=(Conflict,),
        example=_EXAMPLE,
        answer_example=_ERASURE | {"state": "waiting", "through": None, "erased_at": None, "findings": None},
        headers={"Location": "Where its progress is"},
        of_closed=True,
    )
    def create_erasure(self, call: OperationCall[NoFields, ErasedPerson]) -> OperationReply:
        """Every row that names the person, and the devices whose record does, in all stores of the account."""
        made = self._privacy.erasures.request(call.account, call.body.person())
        return OperationReply(erasure_answer(made), headers={"Location": f"/api/v1/erasures/{made.id}"})

    @operation(
        *("POST", "/erasures/preview", Permission.ADMIN, "Count what an erasure would find"),
        example=_EXAMPLE,
        answer_example={"findings": [_FINDING | {"erased": 0, "remains": 12}]},
        repeatable=False,
        of_closed=True,
    )
    def preview_erasure(self, call: OperationCall[NoFields, ErasedPerson]) -> PreviewAnswer:
        """Changes nothing."""
        found = self._privacy.preview.count(call.account, call.body.person())
        return PreviewAnswer([_finding_answer(each) for each in found])

    @operation("GET", "/erasures", Permission.ADMIN, "List erasures", of_closed=True)
    def list_erasures(self, call: OperationCall[PageQuery, None]) -> ListingPage[ErasureAnswer]:
        """The account's, newest first."""
        found = self._privacy.erasures.page(call.account, after=call.query.position, limit=call.query.limit + 1)
        return page_of(found, call.query.limit, erasure_answer, lambda each: each.id)

    @operation(
        *("GET", "/erasures/{erasure_id}", Permission.ADMIN, "Get an erasure"),
        failures=(NotFound,),
        answer_example=_ERASURE,
        of_closed=True,
    )
    def get_erasure(self, call: PlainCall) -> ErasureAnswer:
        """With what it found, erased and left."""
        return self._with_findings(self._privacy.erasures.get(call.account, call.number("erasure_id")))

    def _with_findings(self, erasure: Erasure) -> ErasureAnswer:
        return erasure_answer(erasure, self._privacy.erasures.findings(erasure))


class ClosedFor(msgspec.Struct, forbid_unknown_fields=True):
    """`days` until the account's data is deleted; without it, as AIRTALLY_CLOSED_DAYS says."""

    days: Annotated[int, msgspec.Meta(ge=1, le=MAX_DAYS)] | None = None


class ClosedAnswer(msgspec.Struct, frozen=True):
    account: AccountAnswer
    delete_at: str


class ClosingResource:
    """For operators: the account's own keys are refused once it is closed."""

    def __init__(self, services: Services) -> None:
        self._privacy = services.privacy

    @operation(
        *("POST", "/accounts/{slug}/close", Permission.OPERATOR, "Close an account"),
        failures=(NotFound, Conflict),
        example={"days": 30},
    )
    def close_account(self, call: OperationCall[NoFields, ClosedFor]) -> ClosedAnswer:
        """Its keys, users and links are refused at once; its data is kept for some days. For operators."""
        _check_not_own(call)
        closed = self._privacy.closing.close(call.text("slug"), days=call.body.days)
        return ClosedAnswer(account_answer(closed.account), shown_moment(closed.delete_at))

    @operation(
        *("POST", "/accounts/{slug}/reopen", Permission.OPERATOR, "Open a closed account again"),
        failures=(NotFound, Conflict),
    )
    def reopen_account(self, call: OperationCall[NoFields, NoFields]) -> AccountAnswer:
        """As it was. For operators."""
        return account_answer(self._privacy.closing.reopen(call.text("slug")))

    @operation(
        *("DELETE", "/accounts/{slug}", Permission.OPERATOR, "Delete an account"),
        status=202,
        answer=ErasureAnswer,
        failures=(NotFound, Conflict),
        headers={"Location": "Where its progress is"},
    )
    def delete_account(self, call: PlainCall) -> OperationReply:
        """All of its rows, files and metadata, by a job that nothing stops. For operators."""
        slug = call.text("slug")
        _check_not_own(call)
        made = self._privacy.closing.delete(slug)
        return OperationReply(erasure_answer(made), headers={"Location": f"/api/v1/accounts/{slug}/deletion"})

    @operation(
        *("GET", "/accounts/{slug}/deletion", Permission.OPERATOR, "Get an account's deletion"),
        failures=(NotFound,),
        answer_example=_ERASURE | {"kind": "account"},
    )
    def get_account_deletion(self, call: PlainCall) -> ErasureAnswer:
        """How far it is and what was deleted; also when the account is gone. For operators."""
        slug = call.text("slug")
        found = self._privacy.closing.deletion(slug)
        if found is None:
            raise NotFound(f"The account {slug[:64]!r} is not being deleted")
        return erasure_answer(found, self._privacy.erasures.findings(found))


def _check_not_own(call: OperationCall[Any, Any]) -> None:
    """Raises Conflict for the operator's own account, whatever account the call is about: nobody could take it back."""
    if call.principal is not None and call.principal.account.slug == call.text("slug"):
        raise Conflict("An operator cannot close or delete the own account", hint="A user of another account can")


def erasure_answer(erasure: Erasure, findings: list[ErasureFinding] | None = None) -> ErasureAnswer:
    times: dict[str, Any] = {
        name: shown_moment(getattr(erasure, name)) for name in ("through", "created_at", "erased_at", "done_at")
    }
    return ErasureAnswer(
        id=erasure.id,
        kind=erasure.kind,
        state=erasure.state,
        requested_by=erasure.requested_by,
        waiting_for=erasure.waiting_for,
        error=erasure.error,
        findings=None if findings is None else [_finding_answer(each) for each in findings],
        **times,
    )


def _finding_answer(finding: ErasureFinding) -> FindingAnswer:
    return FindingAnswer(finding.store, finding.part, finding.found, finding.erased, finding.remains, finding.why)
