"""HTTP: each route hands on to an actor or reads a snapshot."""
