"""What every request passes before its API: connections, heads, bodies, callers, each within limits."""
