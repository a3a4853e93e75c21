"""OpenAPI 3.1 documents of the vendors' wires, made of what stands in each vendor's `describe.py`."""

from airtally.vendors.openapi.declared import VendorWire, WireOperation
from airtally.vendors.openapi.document import vendor_document

__all__ = ["VendorWire", "WireOperation", "vendor_document"]
