"""What Litestar and handlers raise, as failures that the owner of a path writes."""

from __future__ import annotations

from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from airtally.kit.errors import BadRequest, Failure, Internal, MethodNotAllowed, NotFound, TooLarge


def failure_of(error: Exception, method: str) -> Failure:
    """For Litestar's own errors (no such route, wrong method, body too large), and for what nobody foresaw."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, NotFoundException):
        return NotFound("Resource not found.")
    if isinstance(error, MethodNotAllowedException):
        return MethodNotAllowed(f"Method {method} is not allowed here", allow=(error.headers or {}).get("allow", ""))
    if isinstance(error, HTTPException) and error.status_code == 413:
        return TooLarge("The body is too large")
    if isinstance(error, HTTPException) and error.status_code < 500:
        return BadRequest(error.detail)
    failure = Internal("Internal error: the server's log has the details")
    failure.__cause__ = error
    return failure
