"""`/api/v1/query`: any question about one stream. The page for callers is docs/reference/query-api.md."""

from airtally.api.query.routes import QueryResource

__all__ = ["QueryResource"]
