"""The OpenAPI 3.1 document of the native API, made of its declared operations."""

from airtally.api.openapi.document import native_document

__all__ = ["native_document"]
