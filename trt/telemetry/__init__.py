"""What happened: the one catalogue of events, and their way into the log and the metrics."""
