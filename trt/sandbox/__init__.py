"""The outside world, pretended: a strict Telegram, a KIE that obeys a script, and a chat page."""
