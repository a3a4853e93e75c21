"""Generates plausible networks, channels, advertisers and apps from a seed, for the demo and the benchmarks."""
