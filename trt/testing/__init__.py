"""The whole system in one process, in virtual time, deterministic by seed."""
