"""TRT: AI generations inside Telegram, on a supervised actor runtime."""
