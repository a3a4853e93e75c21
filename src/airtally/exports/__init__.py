"""Exports: the rows of a stream, or the answer to a question, as files in parts."""
