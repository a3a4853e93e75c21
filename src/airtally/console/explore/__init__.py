"""Explore: figures of a stream, split, compared and drawn; the link of the page is its whole state."""
