"""The resources of the native API: one module for each kind, which declares its operations."""
