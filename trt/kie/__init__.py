"""KIE.ai: creating tasks, asking about them, fetching what they made, and its callbacks to us."""
