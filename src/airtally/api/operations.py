"""`/healthz`, `/readyz` and `/metrics`, for probes and Prometheus. Only operators see details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import MediaType, Response, route
from prometheus_client import CONTENT_TYPE_LATEST

from airtally import readiness
from airtally.api.operators import is_operator
from airtally.kit.errors import Unauthorized
from airtally.kit.http import METHODS
from airtally.kit.shared_metrics import exposition
from airtally.services import Services
from airtally.web.requests import AnyRequest

_FOR_OPERATORS = "Authorization: Bearer <the token of AIRTALLY_OPERATIONS_TOKEN> is missing or wrong"


def routes(services: Services) -> list[Any]:
    @route("/healthz", http_method=METHODS, media_type=MediaType.TEXT, sync_to_thread=False)
    def healthz() -> str:
        return "ok"

    @route("/readyz", http_method=METHODS, sync_to_thread=True)
    def readyz(request: AnyRequest) -> Response[dict[str, Any]]:
        checks = readiness.checks(services)
        ready = all(problem is None for problem in checks.values())
        details = _details(services, checks) if _asked_by_operator(request, services) else {}
        return Response({"ready": ready} | details, status_code=200 if ready else 503)

    @route("/metrics", http_method=METHODS, sync_to_thread=True)
    def metrics(request: AnyRequest) -> Response[bytes]:
        if not _asked_by_operator(request, services):
            raise Unauthorized(_FOR_OPERATORS)
        return Response(exposition(), media_type=CONTENT_TYPE_LATEST)

    return [healthz, readyz, metrics]


def _asked_by_operator(request: AnyRequest, services: Services) -> bool:
    peer = request.client.host if request.client else None
    return is_operator(request.headers, peer, services.settings.operations_token)


def _details(services: Services, checks: Mapping[str, str | None]) -> dict[str, Any]:
    shown = {name: problem or "ok" for name, problem in checks.items()}
    remarks = readiness.remarks(services) if checks["metadata"] is None else []
    return {"checks": shown} | ({"remarks": remarks} if remarks else {})
