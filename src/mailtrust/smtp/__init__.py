"""SMTP as pure values: bytes in, events out."""
