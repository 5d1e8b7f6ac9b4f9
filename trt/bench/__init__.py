"""The benches: how fast updates are taken and handled, measured against the real processes."""
