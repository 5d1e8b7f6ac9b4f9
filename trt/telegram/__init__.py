"""The Bot API: our calls to it and its updates to us, in the house's words."""
