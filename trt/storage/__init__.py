"""SQL and nothing else: transactions, the two engines' door, and one file per group of tables."""
