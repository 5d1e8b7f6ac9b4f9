"""The flow: one actor per file, from the update that arrives to the message that leaves."""
