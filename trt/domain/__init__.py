"""The business on paper: pure and synchronous, no I/O, no clock, no chance."""
