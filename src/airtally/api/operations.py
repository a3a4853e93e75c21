"""`/healthz`, `/readyz`, `/metrics`: for probes and Prometheus, without a key."""

from __future__ import annotations

from typing import Any

from litestar import MediaType, Response, route
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from airtally.kit.http import METHODS
from airtally.runtime import Services


def routes(services: Services) -> list[Any]:
    @route("/healthz", http_method=METHODS, media_type=MediaType.TEXT, sync_to_thread=False)
    def healthz() -> str:
        return "ok"

    @route("/readyz", http_method=METHODS, sync_to_thread=True)
    def readyz() -> Response[dict[str, Any]]:
        checks = services.checks()
        ready = all(problem is None for problem in checks.values())
        shown = {name: problem or "ok" for name, problem in checks.items()}
        remarks = services.remarks() if checks["metadata"] is None else []
        return Response(
            {"ready": ready, "checks": shown} | ({"remarks": remarks} if remarks else {}),
            status_code=200 if ready else 503,
        )

    @route("/metrics", http_method=METHODS, sync_to_thread=True)
    def metrics() -> Response[bytes]:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [healthz, readyz, metrics]
