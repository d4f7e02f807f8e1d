"""Exim as the transport: what the directory publishes, as files that Exim looks up by their names."""
