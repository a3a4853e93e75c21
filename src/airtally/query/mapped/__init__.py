"""Answers from segments in memory maps, without SQL: a slice, a mask and sums of whole numbers."""
